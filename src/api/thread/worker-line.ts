/** The thread's end of the line to its worker. Each answer serves for a second: requests must not keep the worker busy. */
import type { MessagePort } from 'node:worker_threads';
import type { Clock, Timer } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import type { Readiness, WorkerPort } from '../context.js';
import type { Answers, FromThread, ToThread } from './messages.js';

const FRESH_MS = 1_000;
/** A worker that does not answer within this has other worries. */
const PATIENCE_MS = 5_000;

interface Asked<T> {
  readonly untilMs: number;
  readonly answer: Promise<T>;
}

type Waiting = { readonly resolve: (answer: never) => void; readonly timer: Timer };

export class WorkerLine implements WorkerPort {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #asked = new Map<keyof Answers, Asked<unknown>>();
  #nextId = 0;
  #nodeId: string | null = null;

  constructor(port: Pick<MessagePort, 'postMessage'>, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** As it was when it was last asked; asks anew. */
  get nodeId(): string | null {
    this.readiness().catch(() => undefined);
    return this.#nodeId;
  }

  metrics(): Promise<string> {
    return this.#ask('metrics');
  }

  async readiness(): Promise<Readiness> {
    const { nodeId, ...readiness } = await this.#ask('state');
    this.#nodeId = nodeId;
    return readiness;
  }

  /** An answer has come. */
  heard({ id, answer }: Extract<ToThread, { kind: 'answer' }>): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.timer.cancel();
    waiting.resolve(answer as never);
  }

  #ask<Question extends keyof Answers>(question: Question): Promise<Answers[Question]> {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#asked.get(question) as Asked<Answers[Question]> | undefined;
    if (before && nowMs < before.untilMs) return before.answer;
    const id = this.#nextId++;
    const answer = new Promise<Answers[Question]>((resolve, reject) => {
      const timer = this.#clock.setTimer(PATIENCE_MS, () => {
        this.#waiting.delete(id);
        reject(
          new EtcronError('ETCRON_WAIT_TIMEOUT', `the worker did not answer for ${PATIENCE_MS / 1_000} s`, {
            hint: 'Its event loop is busy, or the process is frozen; look at its log and its metrics.',
          }),
        );
      });
      this.#waiting.set(id, { resolve, timer });
    });
    answer.catch(() => undefined);
    this.#asked.set(question, { untilMs: nowMs + FRESH_MS, answer });
    const message: FromThread = { kind: 'ask', id, question };
    this.#port.postMessage(message);
    return answer;
  }
}
