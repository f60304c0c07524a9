/** Exponential pauses with jitter, so that many nodes that failed together do not come back together. */
export class Backoff {
  private tries = 0;

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** The next pause in ms: between half of and the full exponential value. */
  nextMs(): number {
    const fullMs = Math.min(this.firstMs * 2 ** this.tries, this.maxMs);
    if (fullMs < this.maxMs) this.tries += 1;
    return fullMs * (0.5 + this.random() / 2);
  }

  reset(): void {
    this.tries = 0;
  }
}
