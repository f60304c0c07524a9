/** Numbers over time: outcomes and lateness by bucket. */
import type { z } from 'zod';
import type { Outcome } from '../../history/run-record.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { stats as statsSchema } from '../schemas/cluster.js';
import { isoText } from './text.js';

type Stats = z.output<typeof statsSchema>;

/** What ended in a stretch of time. */
export class Tally {
  readonly outcomes: Partial<Record<Outcome, number>> = {};
  readonly #lateness: number[] = [];

  add(outcome: Outcome | null, latenessMs: number | null): void {
    if (outcome !== null) this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    if (latenessMs !== null) this.#lateness.push(latenessMs);
  }

  get lateness(): Stats['totals']['latenessMs'] {
    const sorted = this.#lateness.sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? sorted[0]!;
    return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1)! };
  }
}

export interface StatsRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly buckets: number;
  readonly job?: string | undefined;
}

/** By due time, from `fromMs` (included) to `toMs`. */
export function statsOf(feed: RunFeed, { fromMs, toMs, buckets, job }: StatsRange): Stats {
  const bucketMs = Math.max(1, Math.ceil((toMs - fromMs) / buckets));
  const tallies = Array.from({ length: Math.ceil((toMs - fromMs) / bucketMs) }, () => new Tally());
  const total = new Tally();
  const items = job === undefined ? feed.shelf.newest({ beforeMs: toMs }) : feed.shelf.ofJob(job);
  for (const { id, outcome, latenessMs } of items) {
    if (id.dueMs >= toMs) continue;
    if (id.dueMs < fromMs) {
      if (job === undefined) break;
      continue;
    }
    tallies[Math.floor((id.dueMs - fromMs) / bucketMs)]?.add(outcome, latenessMs);
    total.add(outcome, latenessMs);
  }
  return {
    from: isoText(fromMs),
    to: isoText(toMs),
    bucketMs,
    complete: feed.knowsSince(fromMs),
    buckets: tallies.map((tally, index) => ({
      from: isoText(fromMs + index * bucketMs),
      outcomes: tally.outcomes,
      latenessMs: tally.lateness,
    })),
    totals: { outcomes: total.outcomes, latenessMs: total.lateness },
  };
}
