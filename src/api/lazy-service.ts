/**
 * Something that begins with its first use and ends when nobody has used it for a while: an API that nobody asks costs etcd
 * nothing.
 *
 *     idle ──use──▶ starting ──▶ running ──(no use for `idleMs`, nobody holds it)──▶ idle ──use──▶ starting …     close() ──▶ closed
 *
 * A start that fails rejects those who wait for it; the next use tries again.
 */
import type { Clock, Timer } from '../clock.js';
import { EtcronError } from '../errors.js';
import type { Service } from '../service.js';

const IDLE_MS = 5 * 60_000;

export class LazyService<T extends Service> {
  readonly #make: () => T;
  readonly #clock: Clock;
  readonly #idleMs: number;
  #running: T | null = null;
  #starting: Promise<T> | null = null;
  #holders = 0;
  #timer: Timer | null = null;
  #lastUsedMs = 0;
  #closed = false;

  constructor(make: () => T, clock: Clock, idleMs: number = IDLE_MS) {
    this.#make = make;
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  /** What runs now; null while nobody needs it. */
  get current(): T | null {
    return this.#running;
  }

  /** Rejects with what keeps it from starting. */
  async use(): Promise<T> {
    this.#lastUsedMs = this.#clock.monotonicMs();
    return this.#running ?? (await (this.#starting ??= this.#start()));
  }

  /** Keeps it running until the returned function is called. */
  async hold(): Promise<{ readonly service: T; readonly release: () => void }> {
    this.#holders += 1;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      this.#lastUsedMs = this.#clock.monotonicMs();
    };
    try {
      return { service: await this.use(), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#starting?.catch(() => undefined);
    await this.#end();
  }

  async #start(): Promise<T> {
    if (this.#closed) throw closing();
    const service = this.#make();
    try {
      await service.start();
      if (this.#closed) throw closing();
      this.#running = service;
      this.#endWhenIdle(this.#idleMs);
      return service;
    } catch (error) {
      await service.stop();
      throw error;
    } finally {
      this.#starting = null;
    }
  }

  #endWhenIdle(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      const restMs =
        this.#holders > 0 ? this.#idleMs : this.#lastUsedMs + this.#idleMs - this.#clock.monotonicMs();
      if (restMs > 0) this.#endWhenIdle(restMs);
      else void this.#end();
    });
  }

  async #end(): Promise<void> {
    const service = this.#running;
    this.#running = null;
    await service?.stop();
  }
}

function closing(): EtcronError {
  return new EtcronError('ETCRON_ETCD_UNREACHABLE', 'this server is stopping', {
    hint: 'Ask another worker.',
  });
}
