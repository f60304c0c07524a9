import { scheduleOf, type Job } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import { timeText } from '../time-text.js';

/** Says of jobs whose due times are all past that they are never due again: valid, but hardly meant so. */
export function warnOfNeverAgain(context: CliContext, jobs: Iterable<Job>): void {
  for (const line of neverAgain(jobs, context.clock.now())) context.out.warn(line);
}

/** One line for each such job. */
export function neverAgain(jobs: Iterable<Job>, nowMs: number): string[] {
  const lines: string[] = [];
  for (const job of jobs) {
    const schedule = scheduleOf(job);
    if (schedule.next(nowMs) !== null) continue;
    const lastMs = schedule.previous(nowMs + 1);
    const last = lastMs === null ? '' : `; the last time was ${timeText(lastMs)}`;
    lines.push(`the job ${job.name} is never due again${last}`);
  }
  return lines;
}
