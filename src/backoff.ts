/** Exponential back-off with jitter, so that many nodes that failed together do not come back together. */
export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay before the next try in ms: between half of and the whole of `firstMs × 2^failures`, capped. */
  next(): number {
    const { firstMs, maxMs, random } = this.#options;
    const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return ceiling * (0.5 + random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
