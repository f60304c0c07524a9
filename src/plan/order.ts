/** The total order in which due times are planned: by time, then by job name. */
import type { CursorRecord } from '../view/cursor-record.js';
import type { Schedule } from '../schedule/index.js';

export interface Occurrence {
  readonly dueMs: number;
  readonly job: string;
}

export function before(a: Occurrence, b: Occurrence): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.job < b.job);
}

/** A place in the order; job null stands behind all jobs of that time. */
export type Position = CursorRecord['plannedThrough'];

/** The first due time of the job that lies behind the position. */
export function nextAfter(position: Position, job: string, schedule: Schedule): number | null {
  const jobComesLater = position.job !== null && job > position.job;
  return schedule.next(jobComesLater ? position.due - 1 : position.due);
}

/** The last due time that the position can hold for this job, itself included. */
export function lastDueWithin(position: Position, job: string): number {
  const jobComesLater = position.job !== null && job > position.job;
  return jobComesLater ? position.due - 1 : position.due;
}

export function isBehind(position: Position, other: Position): boolean {
  if (position.due !== other.due) return position.due > other.due;
  if (other.job === null) return false;
  return position.job === null || position.job > other.job;
}
