/** Since when what a watch tells may be old: nobody knows what happened after its last sign of life. */
import type { Clock } from '../../clock.js';

/** A watch that is cut off in silence is noticed within this; whatever came before is certain. */
const NOTICED_WITHIN_MS = 10_000;

export class Freshness {
  readonly #clock: Clock;
  #heardMs = -Infinity;
  #staleSinceMs: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something was read or came by the watch: until now all is known. */
  heard(): void {
    this.#heardMs = this.#clock.now();
  }

  connected(isConnected: boolean): void {
    if (isConnected) this.#staleSinceMs = null;
    else this.#staleSinceMs ??= Math.max(this.#heardMs, this.#clock.now() - NOTICED_WITHIN_MS);
  }

  /** Wall-clock time in ms; null while the watch is live. */
  get staleSinceMs(): number | null {
    return this.#staleSinceMs;
  }
}

/** The earliest of them; null when all are current. */
export function stalest(...sinceMs: readonly (number | null | undefined)[]): number | null {
  return sinceMs.reduce<number | null>((least, one) => {
    if (one === null || one === undefined) return least;
    return least === null ? one : Math.min(least, one);
  }, null);
}
