/** Which due times a backfill is about. */
import { EtcronError } from '../../errors.js';
import { quote, scheduleOf, type Job } from '../../jobs/index.js';
import { momentMs } from '../../schedule/moment-ms.js';
import { timeText } from '../../time-text.js';

export interface BackfillRange {
  /** Ascending; never empty. */
  readonly dues: readonly number[];
  /** The range goes on into the future, which is the schedule's own business. */
  readonly reachesFuture: boolean;
}

const MAX_DUES = 10_000;

/**
 * The due times of the job's schedule from `from` to `to`, both included and read in the zone of the job, that are past.
 * Throws ETCRON_USAGE where there are none, or more than 10,000.
 */
export function backfillRange(job: Job, from: string, to: string, nowMs: number): BackfillRange {
  const fromMs = momentMs(from, job.timezone);
  const toMs = momentMs(to, job.timezone, true);
  if (fromMs > toMs) throw usage(`--from ${from} is later than --to ${to}`, 'Swap them.');
  const throughMs = Math.min(toMs, nowMs);
  const schedule = scheduleOf(job);
  const dues: number[] = [];
  for (let due = schedule.next(fromMs - 1); due !== null && due <= throughMs; due = schedule.next(due)) {
    if (dues.length === MAX_DUES) {
      const hint = `Take them in parts: first --to ${isoText(dues.at(-1)!)}, then --from ${isoText(due)}.`;
      throw usage(`${quote(job.name)} was due more than ${MAX_DUES} times in this range`, hint);
    }
    dues.push(due);
  }
  if (dues.length === 0) {
    const before = schedule.previous(Math.min(fromMs, nowMs));
    const hint =
      before === null ? 'It was never due before.' : `The last time before was ${timeText(before)}.`;
    throw usage(`${quote(job.name)} was not due between ${from} and ${to}`, hint);
  }
  return { dues, reachesFuture: toMs > nowMs };
}

/** As `--from` and `--to` read it, whatever the zone. */
export function isoText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function usage(message: string, hint: string): EtcronError {
  return new EtcronError('ETCRON_USAGE', message, { hint });
}
