/** The heat map of a job: how its runs of each day ended. */
import type { z } from 'zod';
import { zoneTimeline } from '../../schedule/index.js';
import { formatLocal } from '../../schedule/local-text.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { jobHistory } from '../schemas/jobs.js';
import type { Outcome } from '../../history/run-record.js';

type JobHistory = z.output<typeof jobHistory>;

const DAY_MS = 86_400_000;

interface Day {
  readonly outcomes: Partial<Record<Outcome, number>>;
  readonly durations: number[];
}

/** By the day of the due time, on the clocks of `timezone`; the newest day last. */
export function historyOf(
  feed: RunFeed,
  job: string,
  { timezone, days, nowMs }: { readonly timezone: string; readonly days: number; readonly nowMs: number },
): JobHistory {
  const zone = zoneTimeline(timezone);
  const fromMs = nowMs - days * DAY_MS;
  const byDate = new Map<string, Day>();
  for (const { id, outcome, durationMs } of feed.shelf.ofJob(job)) {
    if (id.dueMs < fromMs || outcome === null) continue;
    const date = /\d{4}-\d\d-\d\d/.exec(formatLocal(id.dueMs, zone))![0];
    const day = byDate.get(date) ?? { outcomes: {}, durations: [] };
    byDate.set(date, day);
    day.outcomes[outcome] = (day.outcomes[outcome] ?? 0) + 1;
    if (durationMs !== null) day.durations.push(durationMs);
  }
  return {
    name: job,
    timezone,
    days: [...byDate]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([date, { outcomes, durations }]) => ({ date, outcomes, durationMs: spread(durations) })),
    complete: feed.knowsSince(fromMs),
  };
}

function spread(durations: number[]): JobHistory['days'][number]['durationMs'] {
  const sorted = durations.sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  return { median: sorted[Math.floor((sorted.length - 1) / 2)]!, max: sorted.at(-1)! };
}
