/** What the cluster does with each limit: its size, who runs under it, who waits, and which jobs name it. */
import type { LimitEntry } from '../view/limit-record.js';
import { startTime } from '../view/firing-record.js';
import { comesFirst, holdersOf, isInFlight } from '../view/turn-order.js';
import { slotView, type Snapshot } from './snapshot.js';

export interface LimitUsage {
  readonly name: string;
  /** Null: jobs name it, and nobody has given it a size (or its value is none). */
  readonly size: number | null;
  readonly problem: string | null;
  /** Run ids, in order. */
  readonly held: readonly string[];
  /** How many that are due wait, for this limit or for something else. */
  readonly waiting: number;
  /** Their run ids, in the order of their turns. */
  readonly waitingRuns: readonly string[];
  readonly jobs: readonly string[];
}

/** All limits that have a size or that a job names, by name. */
export function limitUsage(snapshot: Snapshot, nowMs: number): LimitUsage[] {
  const view = slotView(snapshot);
  const jobs = jobsByLimit(snapshot);
  const names = [...new Set([...snapshot.limits.keys(), ...jobs.keys()])].sort();
  return names.map((name) => {
    const limit: LimitEntry | undefined = snapshot.limits.get(name);
    const named = jobs.get(name) ?? [];
    const waiting = snapshot.firings
      .filter(
        (firing) =>
          named.includes(firing.id.job) &&
          !isInFlight(view, firing) &&
          firing.value.expanded === null &&
          startTime(firing) <= nowMs,
      )
      .sort((a, b) => (comesFirst(a, b) ? -1 : 1));
    return {
      name,
      size: limit?.size ?? null,
      problem: limit?.problem ?? null,
      held: holdersOf(view, name)
        .map(({ runId }) => runId)
        .sort(),
      waiting: waiting.length,
      waitingRuns: waiting.map(({ runId }) => runId),
      jobs: named,
    };
  });
}

function jobsByLimit({ jobs }: Snapshot): Map<string, string[]> {
  const byLimit = new Map<string, string[]>();
  for (const { name, job } of jobs.values())
    for (const limit of job?.limits ?? []) byLimit.set(limit, [...(byLimit.get(limit) ?? []), name]);
  return byLimit;
}
