import { describe, expect, it } from 'vitest';
import { EtcronError } from '../../src/errors.js';
import { parseSchedule } from '../../src/schedule/index.js';

/** The next `count` due times in UTC after a time, without the needless `:00.000Z`. */
function dueTimes(expression: string, after: string, count: number): string[] {
  const schedule = parseSchedule(expression, 'UTC');
  const texts: string[] = [];
  for (
    let due = schedule.next(Date.parse(after));
    due !== null && texts.length < count;
    due = schedule.next(due)
  ) {
    texts.push(new Date(due).toISOString().replace(/(:00)?\.000Z$/, ''));
  }
  return texts;
}

function errorOf(expression: string, timeZone = 'UTC'): EtcronError {
  try {
    parseSchedule(expression, timeZone);
  } catch (error) {
    expect(error).toBeInstanceOf(EtcronError);
    return error as EtcronError;
  }
  throw new Error(`"${expression}" in "${timeZone}" was accepted`);
}

describe('syntax', () => {
  it.each<[string, string, string[]]>([
    ['5 4 * * *', '2026-01-01', ['2026-01-01T04:05', '2026-01-02T04:05']],
    ['30 5 4 * * *', '2026-01-01', ['2026-01-01T04:05:30', '2026-01-02T04:05:30']],
    ['*/20 * * * * *', '2026-01-01', ['2026-01-01T00:00:20', '2026-01-01T00:00:40', '2026-01-01T00:01']],
    ['  5   4 * * *  ', '2026-01-01', ['2026-01-01T04:05']],
    ['@hourly', '2026-01-01', ['2026-01-01T01:00', '2026-01-01T02:00']],
    ['@daily', '2026-01-01', ['2026-01-02T00:00']],
    ['@Midnight', '2026-01-01', ['2026-01-02T00:00']],
    ['@weekly', '2026-01-01', ['2026-01-04T00:00']],
    ['@monthly', '2026-01-01', ['2026-02-01T00:00']],
    ['@yearly', '2026-01-01', ['2027-01-01T00:00']],
    ['@annually', '2026-01-01', ['2027-01-01T00:00']],
    ['@every 90s', '2026-01-01', ['2026-01-01T00:01:30', '2026-01-01T00:03']],
    ['@every 1h30m', '1970-01-01', ['1970-01-01T01:30', '1970-01-01T03:00']],
    ['0 0 * JAN,mar MON', '2026-01-20', ['2026-01-26T00:00', '2026-03-02T00:00']],
    ['0 0 * Feb-apr 1-5', '2026-01-31', ['2026-02-02T00:00']],
    ['5/25 0 1 1 *', '2026-01-01', ['2026-01-01T00:05', '2026-01-01T00:30', '2026-01-01T00:55']],
    ['*/60 */24 * * *', '2026-01-01', ['2026-01-02T00:00']],
    [
      '*/2,*/3 0 1 1 *',
      '2026-01-01',
      ['2026-01-01T00:02', '2026-01-01T00:03', '2026-01-01T00:04', '2026-01-01T00:06'],
    ],
    ['0 0 * * 7', '2026-01-01', ['2026-01-04T00:00', '2026-01-11T00:00']],
    ['0 0 * * 0,7', '2026-01-01', ['2026-01-04T00:00', '2026-01-11T00:00']],
    [
      '0 0 * * FRI-7',
      '2026-01-01',
      ['2026-01-02T00:00', '2026-01-03T00:00', '2026-01-04T00:00', '2026-01-09T00:00'],
    ],
    ['0 0 L * *', '2028-01-31', ['2028-02-29T00:00', '2028-03-31T00:00', '2028-04-30T00:00']],
    ['0 0 15,l * *', '2026-02-01', ['2026-02-15T00:00', '2026-02-28T00:00']],
    ['0 0 * * 5L', '2026-01-01', ['2026-01-30T00:00', '2026-02-27T00:00']],
    ['0 0 * * 7L', '2026-01-01', ['2026-01-25T00:00']],
    ['0 0 * * FRIL,MON#2', '2026-01-01', ['2026-01-12T00:00', '2026-01-30T00:00', '2026-02-09T00:00']],
    ['0 0 * * 1#5', '2026-01-01', ['2026-03-30T00:00', '2026-06-29T00:00']],
    ['0 0 ? * 1', '2026-01-01', ['2026-01-05T00:00', '2026-01-12T00:00']],
    ['0 0 15W * *', '2026-02-01', ['2026-02-16T00:00', '2026-03-16T00:00', '2026-04-15T00:00']],
    ['0 0 15w 8 *', '2026-02-01', ['2026-08-14T00:00']],
    ['0 0 1W 8 *', '2026-02-01', ['2026-08-03T00:00']],
    ['0 0 31W 5 *', '2026-02-01', ['2026-05-29T00:00']],
    ['0 0 lw * *', '2026-05-01', ['2026-05-29T00:00', '2026-06-30T00:00', '2026-07-31T00:00']],
    ['0 0 31W * *', '2026-01-31', ['2026-03-31T00:00', '2026-05-29T00:00']],
    ['0 0 29 2 *', '2026-01-01', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['0 0 29 2 *', '2096-03-01', ['2104-02-29T00:00']],
    ['0 0 29 2 */7', '2090-01-01', ['2128-02-29T00:00']],
    ['0 0 31 4,5 *', '2026-01-01', ['2026-05-31T00:00', '2027-05-31T00:00']],
  ])('%s after %s', (expression, after, expected) => {
    expect(dueTimes(expression, after, expected.length)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    ['either matches when both are restricted', '0 0 13 * 5', ['01-02', '01-09', '01-13', '01-16']],
    ['both must match when day-of-month begins with *', '0 0 */2 * 1', ['01-05', '01-19', '02-09', '02-23']],
    ['both must match when day-of-week begins with *', '0 0 13 * */2', ['01-13', '06-13', '08-13', '09-13']],
    ['a * later in the list does not count', '0 0 13,* * 5', ['01-02', '01-03', '01-04', '01-05']],
    ['1-31 is a restriction', '0 0 1-31 * 5', ['01-02', '01-03', '01-04', '01-05']],
  ])('day fields: %s (%s)', (_rule, expression, expected) => {
    const days = dueTimes(expression, '2026-01-01', 4).map((text) => text.slice(5, 10));
    expect(days).toEqual(expected);
  });

  it('keeps the expression and the zone as they were written', () => {
    expect(parseSchedule(' @daily ', 'europe/berlin')).toMatchObject({
      expression: ' @daily ',
      timeZone: 'europe/berlin',
    });
  });

  it('gives the same object for the same pair', () => {
    expect(parseSchedule('1 2 3 4 5', 'UTC')).toBe(parseSchedule('1 2 3 4 5', 'UTC'));
    expect(parseSchedule('1 2 3 4 5', 'UTC')).not.toBe(parseSchedule('1 2 3 4 5', 'Europe/Berlin'));
  });
});

describe('schedules without due times', () => {
  it.each(['0 0 30 2 *', '0 0 31 2,4,6,9,11 *', '0 0 30,31 2 ?', '0 0 */30 2 5#2'])(
    '%s never fires',
    (expression) => {
      const schedule = parseSchedule(expression, 'America/New_York');
      expect(schedule.neverFires).toBe(true);
      expect(schedule.next(0)).toBeNull();
      expect(schedule.previous(Date.UTC(2026, 0, 1))).toBeNull();
    },
  );

  it.each(['0 0 29 2 *', '0 0 30 2 1', '@every 1w', '0 0 29 2 */7'])('%s does fire', (expression) => {
    expect(parseSchedule(expression, 'America/New_York').neverFires).toBe(false);
  });

  it('ends with the year 9999 and begins with 1970', () => {
    for (const expression of ['0 12 1 1 *', '@every 1d']) {
      const schedule = parseSchedule(expression, 'UTC');
      expect(schedule.next(Date.UTC(9999, 11, 31, 12))).toBeNull();
      expect(schedule.next(Infinity)).toBeNull();
      expect(schedule.next(NaN)).toBeNull();
      expect(schedule.previous(NaN)).toBeNull();
      expect(schedule.previous(0)).toBeNull();
      expect(schedule.previous(-1)).toBeNull();
      expect(schedule.next(-Infinity)).toBeGreaterThanOrEqual(0);
      expect(new Date(schedule.previous(Infinity)!).getUTCFullYear()).toBe(9999);
    }
  });
});

describe('@every', () => {
  it('is due at the multiples of its period, strictly after or before', () => {
    const schedule = parseSchedule('@every 90s', 'America/New_York');
    expect(schedule.next(0)).toBe(90_000);
    expect(schedule.next(-1)).toBe(0);
    expect(schedule.next(89_999.5)).toBe(90_000);
    expect(schedule.next(90_000)).toBe(180_000);
    expect(schedule.previous(90_000)).toBe(0);
    expect(schedule.previous(90_001)).toBe(90_000);
  });
});

describe('refused schedules', () => {
  it.each([
    ['61 * * * *', 'minute', '61 is outside 0-59', 'minute field takes 0-59'],
    ['0 24 * * *', 'hour', '24 is outside 0-23', '0-23'],
    ['60 0 0 * * *', 'second', '60 is outside 0-59', '0-59'],
    ['0 0 0 * *', 'dayOfMonth', '0 is outside 1-31', '1-31'],
    ['0 0 1-32 * *', 'dayOfMonth', '32 is outside 1-31', '1-31'],
    ['0 0 * 13 *', 'month', '13 is outside 1-12', 'JAN-DEC'],
    ['0 0 * * 8', 'dayOfWeek', '8 is outside 0-7', 'SUN-SAT'],
    ['0 0 * * 9L', 'dayOfWeek', '9 is outside 0-7', ''],
    ['x * * * *', 'minute', '"x" is no number', ''],
    ['1.5 * * * *', 'minute', '"1.5" is not understood', ''],
    ['-5 * * * *', 'minute', '"-5" is not understood', ''],
    ['1,,2 * * * *', 'minute', 'item of the list is empty', 'comma'],
    ['*/0 * * * *', 'minute', 'a step of 0', ''],
    ['*/90 * * * *', 'minute', 'longer than the 60 values', '@every 90m'],
    ['0 */36 * * *', 'hour', 'longer than the 24 values', '@every'],
    ['0 22-6 * * *', 'hour', 'runs backwards', '22-23,0-6'],
    ['0 23-1 * * *', 'hour', 'runs backwards', '23,0-1'],
    ['0 0 * * SAT-SUN', 'dayOfWeek', 'runs backwards', '6-7'],
    ['0 0 * * FRI-MON', 'dayOfWeek', 'runs backwards', '5-6,0-1'],
    ['0 0 * NOV-FEB/2 *', 'month', 'runs backwards', 'one by one'],
    ['0 0 * JANUARY *', 'month', 'is no month', 'JAN'],
    ['0 0 * * MOM', 'dayOfWeek', 'is no weekday', 'MON'],
    ['H * * * *', 'minute', 'no name is given', '--job'],
    ['0 H/5 * * *', 'hour', 'no name is given', '--job'],
    ['? * * * *', 'minute', '"?"', 'write *'],
    ['0 0 1-5W * *', 'dayOfMonth', '"1-5W"', '15W'],
    ['0 0 W * *', 'dayOfMonth', '"W"', '15W'],
    ['0 0 32W * *', 'dayOfMonth', '32 is outside 1-31', ''],
    ['0 0 * * 5W', 'dayOfWeek', '"5W"', '15W'],
    ['15W 0 * * *', 'minute', '"15W"', ''],
    ['0 0 * 2W *', 'month', '"2W"', ''],
    ['0 0 L-3 * *', 'dayOfMonth', '"L-3"', 'last day'],
    ['0 0 * * L', 'dayOfWeek', 'needs a weekday', '5L'],
    ['0 0 * * 1#6', 'dayOfWeek', '"1#6"', ''],
    ['1/2/3 * * * *', 'minute', '"1/2/3"', ''],
    ['*-5 * * * *', 'minute', '"*-5"', ''],
  ])('%s: the %s field', (expression, field, problem, hint) => {
    const error = errorOf(expression);
    expect(error.code).toBe('ETCRON_SCHEDULE_INVALID');
    expect(error.message).toContain(`"${expression}"`);
    expect(error.message).toContain(problem);
    expect(error.hint).toContain(hint);
    expect(error.details).toMatchObject({ field, allowed: expect.stringMatching(/^\d+-\d+$/) as string });
  });

  it.each([
    ['', 'is empty', 'five cron fields'],
    ['* * * *', '4 fields', 'minute hour'],
    ['0 0 1 1 * 2026 x', '7 fields', 'year'],
    ['@reboot', 'no due time', 'init system'],
    ['@dayly', 'unknown', '@daily'],
    ['@constructor', 'unknown', '@hourly'],
    ['@daily x', 'nothing may follow', '@daily alone'],
    ['@every', 'needs a period', '1h30m'],
    ['@every 1h 30m', 'without spaces', '1h30m'],
    ['@every 90', 'no duration', '90s'],
    ['@every 500ms', 'shorter than 1s', '@every 1s'],
    ['CRON_TZ=UTC 0 0 * * *', 'time zone', 'beside the schedule'],
    [`${'1,'.repeat(600)}1 * * * *`, '1024 characters', ''],
  ])('%.20s', (expression, problem, hint) => {
    const error = errorOf(expression);
    expect(error.code).toBe('ETCRON_SCHEDULE_INVALID');
    expect(error.message).toContain(problem);
    expect(error.hint).toContain(hint);
  });
});

describe('time zones', () => {
  it.each(['UTC', 'utc', 'Europe/Berlin', 'europe/berlin', 'US/Eastern', 'Asia/Kolkata', 'Etc/GMT+5', 'CET'])(
    '%s is known',
    (timeZone) => {
      expect(parseSchedule('@daily', timeZone).next(0)).not.toBeNull();
    },
  );

  it.each([
    ['Europe/Berln', 'Europe/Berlin'],
    ['berlin', 'Europe/Berlin'],
    ['America/New York', 'America/New_York'],
    ['UTCC', 'UTC'],
    ['BST', 'IANA name'],
    ['PST', 'IANA name'],
    ['+02:00', 'IANA name'],
    ['', 'IANA name'],
    ['Mars/Olympus_Mons', 'IANA name'],
  ])('%j is refused', (timeZone, hint) => {
    for (const expression of ['0 0 * * *', '@every 1m']) {
      const error = errorOf(expression, timeZone);
      expect(error.code).toBe('ETCRON_TIMEZONE_INVALID');
      expect(error.message).toContain(`"${timeZone}"`);
      expect(error.hint).toContain(hint);
    }
  });
});
