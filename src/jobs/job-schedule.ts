import { parseSchedule, type ParsedSchedule } from '../schedule/index.js';
import type { Job } from './job.js';

/** When a job is due. */
export function scheduleOf(job: Job): ParsedSchedule {
  return parseSchedule(job.schedule, job.timezone, { job: job.name });
}

/** The expressions of a job on one line. */
export function scheduleText(schedule: Job['schedule']): string {
  return typeof schedule === 'string' ? schedule : schedule.join('; ');
}
