/** What the planner makes of a firing that stands. */
import type { FiringEntry } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import type { JobEntry } from '../view/job-entry.js';
import { jitteredStart } from './jitter.js';

/** Nobody has claimed it, and nobody ever did. */
function isUnstarted({ value }: FiringEntry): boolean {
  return value.origin === 'schedule' && value.attempt === 0 && value.node === null;
}

/** Itself, not through those that it was expanded into. */
export function isToStart(firing: FiringEntry): boolean {
  return isUnstarted(firing) && firing.value.expanded === null && firing.id.suffix === null;
}

/** Nobody started it, and nobody meant it to be late. */
export function isOverdue(firing: FiringEntry, throughMs: number): boolean {
  const { misfire, waiting } = firing.value;
  return startTime(firing) <= throughMs && isToStart(firing) && !misfire && !waiting;
}

/** The job's schedule does not ask for this firing (any more), and it never started. */
export function isVoidable(firing: FiringEntry, fingerprint: string | null): boolean {
  return isUnstarted(firing) && firing.value.fingerprint !== fingerprint;
}

/** When a firing of the job is to start, where that is not its due time. */
export function startOf(entry: JobEntry | undefined, dueMs: number): number | null {
  return entry?.job && entry.schedule ? jitteredStart(entry.job, entry.schedule, dueMs) : null;
}
