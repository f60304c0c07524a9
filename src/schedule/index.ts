export { dayItemProblem } from './day-filter.js';
export { describeBounds, describeSchedule } from './describe-schedule.js';
export { scheduleFingerprint } from './fingerprint.js';
export { momentProblem } from './moment.js';
export type { ParsedSchedule } from './parsed-schedule.js';
export { parseSchedule, type ScheduleOptions } from './parse-schedule.js';
export { preview, type PreviewEntry } from './preview.js';
export type { Schedule } from './schedule.js';
export { assertTimeZone } from './time-zone-name.js';
