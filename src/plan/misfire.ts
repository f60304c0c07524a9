/**
 * What becomes of due times that nobody started in time: the cluster was down, or no worker had room. They are judged
 * together, per job: the policy chooses which of them still run; the others are accounted for in `missed` records.
 *
 *     skip   none runs
 *     once   the latest one runs (when it is younger than `window`)
 *     all    each one runs that is younger than `window`, at most the latest `limit`
 *
 * None runs whose `startDeadline` is past.
 */
import type { Job } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';

/** Longer gaps are not counted out: a job that was due every second for a month is "at least 10,000". */
export const COUNT_LIMIT = 10_000;

export interface MisfireInput {
  readonly policy: Job['misfire'];
  readonly schedule: Schedule;
  /** Unplanned due times: from this one … (null: there are none) */
  readonly firstDueMs: number | null;
  /** … up to and including this time. */
  readonly throughMs: number;
  /** Due times of firings that were planned and not started. */
  readonly planned: readonly number[];
  /** Due times in the range that are accounted for already. */
  readonly isCovered: (dueMs: number) => boolean;
  /** Its `startDeadline` is past; then those of all earlier ones are. */
  readonly isTooLate: (dueMs: number) => boolean;
  readonly nowMs: number;
}

export interface MisfireDecision {
  /** Due times to run late, ascending. */
  readonly run: readonly number[];
  /** Due times to record as missed, ascending; when `atLeast` only the first so many and the last are listed. */
  readonly missed: readonly number[];
  readonly atLeast: boolean;
}

/** Decides; pure. */
export function decideMisfires(input: MisfireInput): MisfireDecision {
  const { policy, nowMs, isTooLate } = input;
  const { dues, atLeast } = overdue(input);
  const maxRuns = policy.policy === 'skip' ? 0 : policy.policy === 'once' ? 1 : policy.limit;
  const oldest = nowMs - policy.windowMs;
  const run: number[] = [];
  for (const due of dues.toReversed()) {
    if (run.length >= maxRuns || due < oldest || isTooLate(due)) break;
    run.push(due);
  }
  return { run: run.reverse(), missed: dues.slice(0, dues.length - run.length), atLeast };
}

/** All overdue due times, ascending; of too many the oldest and the newest. */
function overdue(input: MisfireInput): { dues: number[]; atLeast: boolean } {
  const { schedule, firstDueMs, throughMs, isCovered } = input;
  const dues = new Set(input.planned);
  let atLeast = false;
  let due = firstDueMs;
  for (let steps = 0; due !== null && due <= throughMs; steps += 1) {
    if (steps === COUNT_LIMIT) {
      atLeast = true;
      for (const late of newest(schedule, due, throughMs)) if (!isCovered(late)) dues.add(late);
      break;
    }
    if (!isCovered(due)) dues.add(due);
    due = schedule.next(due);
  }
  return { dues: [...dues].sort((a, b) => a - b), atLeast };
}

/** The newest due times in [fromMs, throughMs], newest first, at most `COUNT_LIMIT`. */
function newest(schedule: Schedule, fromMs: number, throughMs: number): number[] {
  const found: number[] = [];
  let due = schedule.previous(throughMs + 1);
  while (due !== null && due >= fromMs && found.length < COUNT_LIMIT) {
    found.push(due);
    due = schedule.previous(due);
  }
  return found;
}
