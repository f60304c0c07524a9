/**
 * Due times are wall-clock times, so a node whose clock runs ahead would take every firing and run it early. Each node
 * publishes what its clock shows; one that finds itself off the median of all by more than `maxClockSkewMs` neither leads
 * nor claims until it is right again.
 *
 * How it is measured: when another node's clock arrives through the mirror, it is noted against our *monotonic* time, so
 * that a step of our own wall clock shows at once, at the next look, and is not averaged away. A value that was under way
 * for long looks like a clock that is behind; of a few values the greatest was under way for the shortest, and counts.
 *
 * A clock belongs to a worker, by its name: one that came back under a new node id is still one clock, and so is ours. What
 * is known of a clock outlives both the other's key and our own lives. After a mass expiry of leases the first node that is
 * back would otherwise know nobody, and believe its own clock although it knew better a moment before. That holds for clocks
 * that were heard of regularly. The last word of a worker that died can be seconds old when it arrives: of one that said no
 * more than that, nothing is kept.
 *
 * Limits: of two nodes that disagree nobody can say which one is right, so it takes three clocks to judge one. The
 * time that messages take adds to the error; `maxClockSkewMs` should be well above it.
 */
import type { Clock } from '../clock.js';

/** Values kept per worker: a quarter of a minute at the usual interval. */
const SAMPLES = 3;
const CLOCKS_TO_JUDGE = 3;
/**
 * How long a clock counts after its last sign: long enough for a mass expiry of leases with all restarts and backoffs that
 * follow, and so short that neither monotonic clocks drift apart by much nor workers that are gone outvote the others long.
 */
const FORGET_AFTER_MS = 60_000;
/** The same for one that was heard of too seldom for the best of its values to be a good one: three intervals. */
const FORGET_FEW_AFTER_MS = 15_000;

/** A verdict stands for so long, unless our own clock was moved by as much as this meanwhile. */
const JUDGED_FOR_MS = 100;
const SAME_OFFSET_MS = 2;

interface Samples {
  readonly nodeId: string;
  /** Wall time − our monotonic time, the newest values. */
  readonly offsets: number[];
  /** On our monotonic clock. */
  lastAtMs: number;
}

export class ClockGuard {
  readonly #clock: Clock;
  readonly #ownName: string;
  readonly #maxClockSkewMs: number;
  /** By the worker's name. */
  readonly #samples = new Map<string, Samples>();
  /** The last verdict: it is asked for with each start, and stands while nothing that it rests on has changed. */
  #judged: { readonly isRight: boolean; readonly offsetMs: number; readonly atMs: number } | null = null;

  constructor(clock: Clock, ownName: string, maxClockSkewMs: number) {
    this.#clock = clock;
    this.#ownName = ownName;
    this.#maxClockSkewMs = maxClockSkewMs;
  }

  /** The clock of `worker` showed `wallMs` when its node wrote what has just arrived. */
  observe(worker: string, nodeId: string, wallMs: number): void {
    this.#judged = null;
    this.#forgetStale();
    if (worker === this.#ownName) return;
    const before = this.#samples.get(worker);
    const lastAtMs = this.#clock.monotonicMs();
    // A new node id may be another machine.
    const samples = before?.nodeId === nodeId ? before : { nodeId, offsets: [], lastAtMs };
    samples.offsets.push(wallMs - lastAtMs);
    if (samples.offsets.length > SAMPLES) samples.offsets.shift();
    samples.lastAtMs = lastAtMs;
    this.#samples.set(worker, samples);
  }

  /** The node's key is gone: what it said last may have been late. */
  gone(nodeId: string): void {
    this.#judged = null;
    for (const [worker, samples] of this.#samples)
      if (samples.nodeId === nodeId && isFew(samples)) this.#samples.delete(worker);
  }

  /** How many other workers' clocks are known. */
  get known(): number {
    this.#forgetStale();
    return this.#samples.size;
  }

  /** How far this node's clock is ahead of the median of all in ms (negative: behind); null when there are too few. */
  skewMs(): number | null {
    if (this.known + 1 < CLOCKS_TO_JUDGE) return null;
    const own = this.#clock.now() - this.#clock.monotonicMs();
    const offsets = [own, ...[...this.#samples.values()].map((samples) => Math.max(...samples.offsets))];
    offsets.sort((a, b) => a - b);
    const middle = offsets.length >>> 1;
    const median =
      offsets.length % 2 === 1 ? offsets[middle]! : (offsets[middle - 1]! + offsets[middle]!) / 2;
    return own - median;
  }

  isRight(): boolean {
    const monotonicMs = this.#clock.monotonicMs();
    const offsetMs = this.#clock.now() - monotonicMs;
    const judged = this.#judged;
    const isCurrent =
      judged !== null &&
      Math.abs(judged.offsetMs - offsetMs) < SAME_OFFSET_MS &&
      monotonicMs - judged.atMs < JUDGED_FOR_MS;
    if (judged !== null && isCurrent) return judged.isRight;
    const skewMs = this.skewMs();
    const isRight = skewMs === null || Math.abs(skewMs) <= this.#maxClockSkewMs;
    this.#judged = { isRight, offsetMs, atMs: monotonicMs };
    return isRight;
  }

  #forgetStale(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [worker, samples] of this.#samples) {
      const keptForMs = isFew(samples) ? FORGET_FEW_AFTER_MS : FORGET_AFTER_MS;
      if (samples.lastAtMs < nowMs - keptForMs) this.#samples.delete(worker);
    }
  }
}

function isFew({ offsets }: Samples): boolean {
  return offsets.length < SAMPLES;
}
