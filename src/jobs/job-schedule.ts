import { parseSchedule, type ParsedSchedule, type ScheduleOptions } from '../schedule/index.js';
import type { Job } from './job.js';
import { startOf } from './pause.js';

/** When a job is due. */
export function scheduleOf(job: Job): ParsedSchedule {
  return parseSchedule(job.schedule, job.timezone, scheduleOptionsOf(job));
}

/** What besides expression and time zone decides when a job is due. */
export function scheduleOptionsOf(job: Job): ScheduleOptions {
  const { name, endAt, only, exclude } = job;
  return { job: name, startAt: startOf(job), endAt, only, exclude };
}

/** The expressions of a job on one line. */
export function scheduleText(schedule: Job['schedule']): string {
  return typeof schedule === 'string' ? schedule : schedule.join('; ');
}
