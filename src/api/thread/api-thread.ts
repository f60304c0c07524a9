/**
 * The worker's end: starts the thread of its API, answers what only the worker knows, and begins another thread when one dies,
 * or hangs.
 *
 *     start() ──▶ starting ──listening──▶ running ──dies──▶ waiting (backoff) ──▶ starting …        stop() ──▶ stopped
 *                    │                       └─ answers no ping ──▶ terminated ──▶ dies
 *                    └─ the settings cannot work (address taken, refused): `start` rejects, nothing is tried again
 *
 * Settings that worked once are tried again whatever happens then: the port may be free again in a moment. The backoff begins anew
 * only after a life of some length, so that a thread that dies of its first request does not die each second.
 *
 * Nothing of the thread reaches the worker: its errors are events here, its memory is limited, it has its own event loop. Whatever
 * becomes of it, the worker goes on.
 */
import type { Worker } from 'node:worker_threads';
import { Backoff } from '../../backoff.js';
import { sleep, type Clock, type Timer } from '../../clock.js';
import { EtcronError, messageOf } from '../../errors.js';
import type { Service } from '../../service.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Answers, FromThread, ToThread } from './messages.js';

/** What of a `worker_threads` worker is used. */
export type ThreadHandle = Pick<Worker, 'on' | 'once' | 'postMessage' | 'terminate'>;

export interface ApiThreadOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
  /** Begins a thread whose main module calls `runApiThread`. */
  readonly spawn: () => ThreadHandle;
  /** What only the worker can tell. */
  readonly answers: { readonly [Question in keyof Answers]: () => Promise<Answers[Question]> };
  /** Where the API is now; null: nowhere for the moment. */
  readonly onAddress: (url: string | null) => void;
  /** Another thread takes the place of one that ended unasked. */
  readonly onReplaced?: () => void;
}

/** A stop waits so long for answers under way. */
const STOP_MS = 3_000;
/** Counted in pings that this thread had the time to send, so that a process that was frozen as a whole does not count as hanging. */
const PING_EVERY_MS = 2_000;
const MAX_UNANSWERED = 5;
/** A thread that lived for so long was well. */
const STEADY_MS = 60_000;

/** How one life of a thread ended. */
type Ending = { readonly final: EtcronError | null; readonly reason: string };

export class ApiThread implements Service {
  readonly #options: ApiThreadOptions;
  readonly #stopping = new AbortController();
  #thread: ThreadHandle | null = null;
  #living: Promise<void> | null = null;

  constructor(options: ApiThreadOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or was stopped; rejects when the settings do not allow it ever to. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#living ??= this.#live(resolve, reject).finally(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the API is being stopped'));
    this.#post({ kind: 'stop' });
    const { clock } = this.#options;
    const late = new AbortController();
    void sleep(clock, STOP_MS, late.signal).then(
      () => this.#thread?.terminate(),
      () => undefined,
    );
    await this.#living;
    late.abort(new Error('stopped'));
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #live(onListening: () => void, onImpossible: (error: EtcronError) => void): Promise<void> {
    const { clock, log, random = Math.random, onAddress, onReplaced } = this.#options;
    const backoff = new Backoff(1_000, 60_000, random);
    let hasWorked = false;
    while (!this.#isStopping()) {
      const begunMs = clock.monotonicMs();
      const { final, reason } = await this.#oneLife((url) => {
        hasWorked = true;
        log.info({ url }, 'the HTTP API is listening');
        onAddress(url);
        onListening();
      });
      onAddress(null);
      if (this.#isStopping()) return;
      if (clock.monotonicMs() - begunMs >= STEADY_MS) backoff.reset();
      if (final !== null && !hasWorked) {
        log.error({ code: final.code, hint: final.hint }, final.message);
        return onImpossible(final);
      }
      const delayMs = Math.round(backoff.nextMs());
      log.error(
        { reason, delayMs },
        'the thread of the HTTP API ended; runs are not affected, and it is begun again',
      );
      await sleep(clock, delayMs, this.#stopping.signal).catch(() => undefined);
      if (!this.#isStopping()) onReplaced?.();
    }
  }

  #oneLife(onListening: (url: string) => void): Promise<Ending> {
    return new Promise((resolve) => {
      let ending: Ending = { final: null, reason: 'it ended by itself' };
      let thread: ThreadHandle;
      try {
        thread = this.#options.spawn();
      } catch (error) {
        resolve({ final: null, reason: messageOf(error) });
        return;
      }
      this.#thread = thread;
      const pings = this.#pingEvery(() => {
        const seconds = (MAX_UNANSWERED * PING_EVERY_MS) / 1_000;
        ending = { final: null, reason: `it did not answer for ${seconds} s` };
        this.#options.log.error('the thread of the HTTP API hangs; it is ended');
        this.#options.onAddress(null);
        void thread.terminate();
      });
      thread.on('message', (message: FromThread) => {
        if (message.kind === 'listening') {
          pings.begin();
          onListening(message.url);
        } else if (message.kind === 'pong') pings.answered();
        else if (message.kind === 'ask') this.#answer(message);
        else ending = endingOf(message);
      });
      thread.on('error', (error: unknown) => {
        ending = { final: null, reason: messageOf(error) };
      });
      thread.once('exit', () => {
        this.#thread = null;
        pings.end();
        resolve(ending);
      });
      if (this.#isStopping()) this.#post({ kind: 'stop' });
    });
  }

  /** Pings from `begin` on, and calls `onHang` once when nothing answers. */
  #pingEvery(onHang: () => void): { begin(): void; answered(): void; end(): void } {
    const { clock } = this.#options;
    let timer: Timer | null = null;
    let unanswered = 0;
    const tick = (): void => {
      if (unanswered >= MAX_UNANSWERED) return onHang();
      unanswered += 1;
      this.#post({ kind: 'ping' });
      timer = clock.setTimer(PING_EVERY_MS, tick);
    };
    return { begin: tick, answered: () => (unanswered = 0), end: () => timer?.cancel() };
  }

  #answer({ id, question }: Extract<FromThread, { kind: 'ask' }>): void {
    this.#options.answers[question]().then(
      (answer) => this.#post({ kind: 'answer', id, answer }),
      (error: unknown) => {
        // Whoever asked waits for a while, and is told then that there was no answer.
        this.#options.log.warn({ question, err: messageOf(error) }, 'the API could not be answered');
      },
    );
  }

  #post(message: ToThread): void {
    this.#thread?.postMessage(message);
  }
}

function endingOf({ code, message, hint, isFinal }: Extract<FromThread, { kind: 'failed' }>): Ending {
  const error = new EtcronError(code, message, hint === null ? {} : { hint });
  return { final: isFinal ? error : null, reason: message };
}
