import { systemClock, type Clock, type Timer } from '../../clock.js';

/** What all commands together may write while nothing else suffers from it: 64 MiB a second. */
const BYTES_PER_TICK = 640 * 1024;
const TICK_MS = 10;
/** What one reading of a stream takes at most. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Shares out how much output this process reads in a stretch of time. Whoever has used it up waits for his turn; a command
 * that writes more meanwhile finds its pipe full, and waits too.
 */
export class ReadBudget {
  readonly #clock: Clock;
  readonly #bytesPerTick: number;
  #leftBytes: number;
  #filledAtMs: number;
  /** In the order in which they have asked. */
  readonly #waiting = new Set<() => void>();
  #timer: Timer | null = null;

  constructor(clock: Clock, bytesPerTick: number = BYTES_PER_TICK) {
    this.#clock = clock;
    this.#bytesPerTick = this.#leftBytes = bytesPerTick;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** So much was read. False: that was enough for now, ask with `whenMore`. */
  spend(bytes: number): boolean {
    this.#fill();
    this.#leftBytes -= bytes;
    return this.#leftBytes > 0;
  }

  /** Calls back, once, when more may be read. Returns the function that takes the wish back. */
  whenMore(callback: () => void): () => void {
    this.#waiting.add(callback);
    if (this.#timer === null) this.#tickLater();
    return () => void this.#waiting.delete(callback);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const filled = this.#leftBytes + ((nowMs - this.#filledAtMs) * this.#bytesPerTick) / TICK_MS;
    this.#leftBytes = Math.min(this.#bytesPerTick, filled);
    this.#filledAtMs = nowMs;
  }

  #tick(): void {
    this.#timer = null;
    this.#fill();
    // They read later, each of them about so much.
    let expectedBytes = this.#leftBytes;
    for (const callback of this.#waiting) {
      if (expectedBytes <= 0) break;
      expectedBytes -= CHUNK_BYTES;
      this.#waiting.delete(callback);
      callback();
    }
    if (this.#waiting.size > 0) this.#tickLater();
  }

  #tickLater(): void {
    this.#timer = this.#clock.setTimer(TICK_MS, () => this.#tick());
  }
}

/** Of this process. Bytes take real time, whatever a test's clock shows. */
export const readBudget = new ReadBudget(systemClock);
