import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { describeSchedule, parseSchedule, scheduleFingerprint } from '../../src/schedule/index.js';
import { oracleDueTimes } from './oracle.js';

const FROM_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const JOBS = Array.from({ length: 40 }, (_, index) => `job-${index}`);

/** The documented hash: the first six bytes of the SHA-256 of the field's name, a line break and the job's name. */
function hash(field: string, job: string): number {
  return Number.parseInt(createHash('sha256').update(`${field}\n${job}`).digest('hex').slice(0, 12), 16);
}

function dueTimes(expression: string, job: string, days: number): number[] {
  const schedule = parseSchedule(expression, 'UTC', { job });
  const found: number[] = [];
  for (let due = schedule.next(FROM_MS - 1); due !== null && due < FROM_MS + days * DAY_MS;) {
    found.push(due);
    due = schedule.next(due);
  }
  return found;
}

describe('H', () => {
  it.each<[string, number, (job: string) => string]>([
    ['H 3 * * *', 3, (job) => `0 ${hash('minute', job) % 60} 3 * * *`],
    ['H H * * *', 3, (job) => `0 ${hash('minute', job) % 60} ${hash('hour', job) % 24} * * *`],
    ['H/15 * * * *', 1, (job) => `0 ${hash('minute', job) % 15}-59/15 * * * *`],
    ['H(0-29) 4 * * *', 3, (job) => `0 ${hash('minute', job) % 30} 4 * * *`],
    ['H(10-29)/7 4 * * *', 3, (job) => `0 ${10 + (hash('minute', job) % 7)}-29/7 4 * * *`],
    ['0 h/6 * * *', 3, (job) => `0 0 ${hash('hour', job) % 6}-23/6 * * *`],
    ['0 0 H * *', 90, (job) => `0 0 0 ${1 + (hash('dayOfMonth', job) % 28)} * *`],
    ['0 0 * * H', 30, (job) => `0 0 0 * * ${hash('dayOfWeek', job) % 7}`],
    ['0 0 * * H(mon-fri)', 30, (job) => `0 0 0 * * ${1 + (hash('dayOfWeek', job) % 5)}`],
    ['5,H(30-59) 0 * * *', 3, (job) => `0 5,${30 + (hash('minute', job) % 30)} 0 * * *`],
  ])('%s is, for each job, what the oracle says of the hashed value', (expression, days, plain) => {
    for (const job of JOBS) {
      const expected = oracleDueTimes(plain(job), 'UTC', FROM_MS, FROM_MS + days * DAY_MS);
      expect(expected.length).toBeGreaterThan(0);
      expect(dueTimes(expression, job, days)).toEqual(expected);
    }
  });

  it('in the seconds field, too', () => {
    const first = parseSchedule('H 0 3 * * *', 'UTC', { job: 'backup' }).next(FROM_MS)!;
    expect(new Date(first).getUTCSeconds()).toBe(hash('second', 'backup') % 60);
  });

  it('spreads jobs over the whole field, and keeps each where it is', () => {
    const minutes = (jobs: readonly string[]): number[] =>
      jobs.map((job) => (dueTimes('H 3 * * *', job, 1)[0]! / 60_000) % 60);
    const many = Array.from({ length: 6_000 }, (_, index) => `tenant-${index}.sync`);
    const counts = new Map<number, number>();
    for (const minute of minutes(many)) counts.set(minute, (counts.get(minute) ?? 0) + 1);
    expect(counts.size).toBe(60);
    // 100 are expected in each; 5 standard deviations are 50.
    expect(Math.max(...counts.values())).toBeLessThan(150);
    expect(Math.min(...counts.values())).toBeGreaterThan(50);
    expect(minutes(['backup', 'report', 'a'])).toEqual(minutes(['backup', 'report', 'a']));
  });

  it('is a fixed value to the rules of clock changes and of the day fields', () => {
    const spring = parseSchedule('H 2 * * *', 'America/New_York', { job: 'backup' });
    expect(new Date(spring.next(Date.UTC(2025, 2, 9, 5))!).toISOString()).toBe('2025-03-09T07:00:00.000Z');
    const day = 1 + (hash('dayOfMonth', 'backup') % 28);
    expect(dueTimes('0 0 H * 1', 'backup', 60)).toEqual(
      oracleDueTimes(`0 0 0 ${day} * 1`, 'UTC', FROM_MS, FROM_MS + 60 * DAY_MS),
    );
  });

  it('is described, and has a fingerprint, as the value that it stands for', () => {
    const minute = String(hash('minute', 'backup') % 60).padStart(2, '0');
    expect(describeSchedule('H 3 * * *', { job: 'backup' })).toBe(`At 03:${minute}`);
    const fingerprint = scheduleFingerprint('H 3 * * *', 'UTC', { job: 'backup' });
    expect(fingerprint).toBe(scheduleFingerprint(`${Number(minute)} 3 * * *`, 'UTC'));
    expect(fingerprint).not.toBe(scheduleFingerprint('H 3 * * *', 'UTC', { job: 'report' }));
  });

  it('does not mix up the jobs that share an expression', () => {
    const [one, other] = ['backup', 'report'].map((job) => parseSchedule('H H * * *', 'UTC', { job }));
    expect(one!.next(FROM_MS)).not.toBe(other!.next(FROM_MS));
    expect(parseSchedule('0 3 * * *', 'UTC', { job: 'a' })).toBe(parseSchedule('0 3 * * *', 'UTC'));
  });

  it.each([
    ['H/90 * * * *', 'between 1 and 60', 'smaller'],
    ['H(0-29)/40 * * * *', 'between 1 and 30', 'smaller'],
    ['H/0 * * * *', 'between 1 and 60', '1 or more'],
    ['H(29-0) * * * *', 'runs backwards', 'H(0-29)'],
    ['H(0-60) * * * *', '60 is outside 0-59', ''],
    ['H() * * * *', 'needs a range', 'H(0-29)'],
    ['H5 * * * *', '"H5" is not understood', 'H/15'],
    ['H(0-29 * * * *', '"H(0-29" is not understood', 'H/15'],
  ])('%s is refused', (expression, problem, hint) => {
    expect(() => parseSchedule(expression, 'UTC', { job: 'a' })).toThrow(
      expect.objectContaining({
        code: 'ETCRON_SCHEDULE_INVALID',
        message: expect.stringContaining(problem) as string,
        hint: expect.stringContaining(hint) as string,
      }) as Error,
    );
  });
});
