import { scheduleOf, type Job } from '../jobs/index.js';
import { timeText } from '../time-text.js';

/** Of jobs whose due times are all past: they are never due again, which is valid, but hardly meant so. */
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
