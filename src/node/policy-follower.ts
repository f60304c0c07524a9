/**
 * Follows the policy file of a worker while it runs: what is written there holds some seconds later, without a restart.
 *
 * - A file is taken as it was found twice in a row: one that is just being written could be valid, and allow more than is meant.
 * - It is taken as a whole or not at all. With a mistake in it, or without the file, what was read last goes on to hold, and the log
 *   says so: at once, and again as long as it is so.
 */
import { readFile } from 'node:fs/promises';
import { sleep, type Clock } from '../clock.js';
import { EtcronError, messageOf } from '../errors.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import type { UnderPolicy } from './own-fitness.js';
import { readPolicyFile, underPolicyFile } from './policy-file.js';

export interface PolicyFollowerOptions {
  readonly path: string;
  /** Of the worker's settings. */
  readonly labels: Readonly<Record<string, string>>;
  /** What was read at the start. */
  readonly current: UnderPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: (underPolicy: UnderPolicy) => void;
}

const LOOK_EVERY_MS = 3_000;
const REMIND_EVERY_MS = 10 * 60_000;

export class PolicyFollower implements Service {
  readonly #options: PolicyFollowerOptions;
  readonly #stopped = new AbortController();
  #current: UnderPolicy;
  /** Of the last look; null: the file could not be read. Undefined: before the first. */
  #text: string | null | undefined;
  /** The text that was judged last. */
  #judged: string | null | undefined;
  #problem: string | null = null;
  #saidMs = -Infinity;
  #following: Promise<void> | null = null;

  constructor(options: PolicyFollowerOptions) {
    this.#options = options;
    this.#current = options.current;
  }

  start(): Promise<void> {
    this.#following ??= this.#follow();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the worker stops'));
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await sleep(this.#options.clock, LOOK_EVERY_MS, signal).catch(() => undefined);
      if (!signal.aborted) await this.#look();
    }
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { path } = this.#options;
    const text = await readFile(path, 'utf8').catch(() => null);
    const isSettled = text === this.#text;
    this.#text = text;
    if (!isSettled) return;
    if (text === this.#judged) return this.#remind();
    try {
      const next = underPolicyFile(this.#options.labels, await readPolicyFile(path), path);
      // What was read just now may be newer still.
      if ((await readFile(path, 'utf8').catch(() => null)) !== text || this.#stopped.signal.aborted) return;
      this.#judged = text;
      this.#take(next);
    } catch (error) {
      this.#judged = text;
      this.#refuse(error);
    }
  }

  #take(next: UnderPolicy): void {
    const { log, path, onChange } = this.#options;
    const wasBroken = this.#problem !== null;
    this.#problem = null;
    if (JSON.stringify(next) === JSON.stringify(this.#current)) {
      if (wasBroken) log.info({ file: path }, 'the policy file can be read again, and is what holds');
      return;
    }
    this.#current = next;
    const { policy, labels } = next;
    log.warn(
      { file: path, policy, labels },
      'this worker has a new policy: it holds for all that begins from now on',
    );
    onChange(next);
  }

  #refuse(error: unknown): void {
    const known = error instanceof EtcronError ? error : null;
    this.#problem = messageOf(error);
    this.#say({ code: known?.code, hint: known?.hint });
  }

  #remind(): void {
    const { clock } = this.#options;
    if (this.#problem !== null && clock.monotonicMs() - this.#saidMs >= REMIND_EVERY_MS) this.#say({});
  }

  #say(fields: object): void {
    const { clock, log, path } = this.#options;
    this.#saidMs = clock.monotonicMs();
    log.error(
      { file: path, ...fields, reason: this.#problem },
      'the policy file cannot be used: the policy from before goes on to hold',
    );
  }
}
