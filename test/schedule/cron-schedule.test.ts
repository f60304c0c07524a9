import { describe, expect, it } from 'vitest';
import { parseSchedule, preview } from '../../src/schedule/index.js';

/** Due times as local texts, from the first after `from` for `count`. */
function local(expression: string, zone: string, from: string, count: number): string[] {
  return preview(parseSchedule(expression, zone), Date.parse(from), count).map((entry) =>
    entry.localText.slice(4),
  );
}

describe('in a gap', () => {
  it('merges several fixed due times and the one at the gap’s end', () => {
    expect(local('0,15,30 2,3 * * *', 'America/New_York', '2026-03-08T00:00Z', 4)).toEqual([
      '2026-03-08 03:00:00 -04:00',
      '2026-03-08 03:15:00 -04:00',
      '2026-03-08 03:30:00 -04:00',
      '2026-03-09 02:00:00 -04:00',
    ]);
  });

  it('merges the seconds of a fixed minute', () => {
    expect(local('* 30 2 * * *', 'America/New_York', '2026-03-08T00:00Z', 2)).toEqual([
      '2026-03-08 03:00:00 -04:00',
      '2026-03-09 02:30:00 -04:00',
    ]);
  });

  it('is judged on the nominal date when the gap ends at another one', () => {
    // Apia left out the whole of Friday, 2011-12-30.
    expect(local('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00Z', 2)).toEqual([
      '2011-12-31 00:00:00 +14:00',
      '2012-12-30 12:00:00 +14:00',
    ]);
    expect(local('0 12 * * FRI', 'Pacific/Apia', '2011-12-24T00:00Z', 2)).toEqual([
      '2011-12-31 00:00:00 +14:00',
      '2012-01-06 12:00:00 +14:00',
    ]);
    expect(local('0 */6 30 12 *', 'Pacific/Apia', '2011-12-01T00:00Z', 1)).toEqual([
      '2012-12-30 00:00:00 +14:00',
    ]);
  });

  it('is not due when the day fields leave the nominal date out', () => {
    // Santiago's day of 2024-09-08, a Sunday, begins at 01:00.
    expect(local('30 0 * * SAT', 'America/Santiago', '2024-09-07T12:00Z', 1)).toEqual([
      '2024-09-14 00:30:00 -03:00',
    ]);
    expect(local('30 0 * * SUN', 'America/Santiago', '2024-09-07T12:00Z', 1)).toEqual([
      '2024-09-08 01:00:00 -03:00',
    ]);
  });

  it('answers from any instant around it', () => {
    const schedule = parseSchedule('30 2 * * *', 'America/New_York');
    const gapEnd = Date.parse('2026-03-08T07:00:00Z');
    expect(schedule.next(gapEnd - 1)).toBe(gapEnd);
    expect(schedule.next(gapEnd)).toBe(Date.parse('2026-03-09T06:30:00Z'));
    expect(schedule.previous(gapEnd + 1)).toBe(gapEnd);
    expect(schedule.previous(gapEnd)).toBe(Date.parse('2026-03-07T07:30:00Z'));
    expect(schedule.previous(gapEnd + 3_600_000)).toBe(gapEnd);
  });
});

describe('in a repeated hour', () => {
  const firstPass = Date.parse('2026-11-01T05:30:00Z');
  const secondPass = Date.parse('2026-11-01T06:30:00Z');

  it('has a fixed job once, from whichever pass it is asked', () => {
    const schedule = parseSchedule('30 1 * * *', 'America/New_York');
    const following = Date.parse('2026-11-02T06:30:00Z');
    expect(schedule.next(firstPass - 1)).toBe(firstPass);
    expect(schedule.next(firstPass)).toBe(following);
    expect(schedule.next(secondPass - 1)).toBe(following);
    expect(schedule.previous(secondPass + 1)).toBe(firstPass);
    expect(schedule.previous(following)).toBe(firstPass);
  });

  it('has a wildcard job twice', () => {
    const schedule = parseSchedule('30 */1 * * *', 'America/New_York');
    expect(schedule.next(firstPass)).toBe(secondPass);
    expect(schedule.previous(secondPass)).toBe(firstPass);
  });

  it('finds a rare wildcard job only in its two passes', () => {
    expect(local('*/30 1 1 11 *', 'America/New_York', '2026-01-01T00:00Z', 5)).toEqual([
      '2026-11-01 01:00:00 -04:00',
      '2026-11-01 01:30:00 -04:00',
      '2026-11-01 01:00:00 -05:00',
      '2026-11-01 01:30:00 -05:00',
      '2027-11-01 01:00:00 -04:00',
    ]);
  });
});

describe('preview', () => {
  const notes = (expression: string, zone: string, from: string, count: number): (string | undefined)[] =>
    preview(parseSchedule(expression, zone), Date.parse(from), count).map((entry) => entry.note);

  it('says what a clock change did', () => {
    expect(notes('30 2 * * *', 'America/New_York', '2026-03-08T00:00Z', 2)).toEqual([
      'moved by the clock change (02:30:00 does not exist)',
      undefined,
    ]);
    expect(notes('*/1 2 * * *', 'America/New_York', '2026-03-08T00:00Z', 1)).toEqual([undefined]);
    expect(notes('0-59 2 * * *', 'America/New_York', '2026-03-08T00:00Z', 1)).toEqual([
      'merged by the clock change (02:00:00, 02:01:00, 02:02:00, … do not exist)',
    ]);
    expect(notes('0 2,3 * * *', 'America/New_York', '2026-03-08T00:00Z', 1)).toEqual([
      'merged by the clock change (02:00:00 does not exist)',
    ]);
    expect(notes('0 * * * *', 'America/New_York', '2026-11-01T04:30Z', 3)).toEqual([
      'first of two (repeated hour)',
      'second of two (repeated hour)',
      undefined,
    ]);
    expect(notes('30 0-2 * * *', 'America/New_York', '2026-11-01T04:00Z', 3)).toEqual([
      undefined,
      'first of two (repeated hour); not due again in the second',
      undefined,
    ]);
    expect(notes('@every 1h', 'America/New_York', '2026-11-01T04:30Z', 2)).toEqual([undefined, undefined]);
  });

  it('shows due times on the clock of the zone', () => {
    expect(preview(parseSchedule('@every 1d', 'Asia/Kathmandu'), Date.parse('2026-01-01T00:00Z'), 1)).toEqual(
      [
        {
          dueMs: Date.parse('2026-01-02T00:00Z'),
          localText: 'Fri 2026-01-02 05:45:00 +05:45',
          expressions: ['@every 1d'],
        },
      ],
    );
  });

  it('ends where the schedule ends', () => {
    expect(preview(parseSchedule('0 0 30 2 *', 'UTC'), 0, 5)).toEqual([]);
    expect(preview(parseSchedule('0 0 1 1 *', 'UTC'), Date.UTC(9998, 5), 5)).toHaveLength(1);
    expect(preview(parseSchedule('@daily', 'UTC'), 0, 0)).toEqual([]);
  });
});
