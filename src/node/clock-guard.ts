/**
 * Due times are wall-clock times, so a node whose clock runs ahead would take every firing and run it early. Each node
 * publishes what its clock shows; one that finds itself off the median of all by more than `maxClockSkewMs` neither leads
 * nor claims until it is right again.
 *
 * How it is measured: when another node's clock arrives through the mirror, it is noted against our *monotonic* time, so
 * that a step of our own wall clock shows at once, at the next look, and is not averaged away. A value that was under way
 * for long looks like a clock that is behind; of a few values the greatest was under way for the shortest, and counts.
 *
 * Limits: of two nodes that disagree nobody can say which one is right, so it takes three clocks to judge one. The
 * time that messages take adds to the error; `maxClockSkewMs` should be well above it.
 */
import type { Clock } from '../clock.js';

/** Values kept per node: a quarter of a minute at the usual interval. */
const SAMPLES = 3;
const CLOCKS_TO_JUDGE = 3;

export class ClockGuard {
  readonly #clock: Clock;
  readonly #maxClockSkewMs: number;
  /** By node: wall time − our monotonic time, the newest values. */
  readonly #samples = new Map<string, number[]>();

  constructor(clock: Clock, maxClockSkewMs: number) {
    this.#clock = clock;
    this.#maxClockSkewMs = maxClockSkewMs;
  }

  /** Another node's clock showed `wallMs` when it wrote what has just arrived. */
  observe(nodeId: string, wallMs: number): void {
    const samples = this.#samples.get(nodeId) ?? [];
    samples.push(wallMs - this.#clock.monotonicMs());
    if (samples.length > SAMPLES) samples.shift();
    this.#samples.set(nodeId, samples);
  }

  forget(nodeId: string): void {
    this.#samples.delete(nodeId);
  }

  /** How many other nodes' clocks are known. */
  get known(): number {
    return this.#samples.size;
  }

  /** How far this node's clock is ahead of the median of all in ms (negative: behind); null when there are too few. */
  skewMs(): number | null {
    if (this.#samples.size + 1 < CLOCKS_TO_JUDGE) return null;
    const own = this.#clock.now() - this.#clock.monotonicMs();
    const offsets = [own, ...[...this.#samples.values()].map((samples) => Math.max(...samples))];
    offsets.sort((a, b) => a - b);
    const middle = offsets.length >>> 1;
    const median =
      offsets.length % 2 === 1 ? offsets[middle]! : (offsets[middle - 1]! + offsets[middle]!) / 2;
    return own - median;
  }

  isRight(): boolean {
    const skewMs = this.skewMs();
    return skewMs === null || Math.abs(skewMs) <= this.#maxClockSkewMs;
  }
}
