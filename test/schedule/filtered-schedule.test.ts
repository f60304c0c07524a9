import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dayItemProblem,
  describeBounds,
  momentProblem,
  parseSchedule,
  scheduleFingerprint,
  type ParsedSchedule,
  type ScheduleOptions,
} from '../../src/schedule/index.js';
import { DayFilter } from '../../src/schedule/day-filter.js';
import { FilteredSchedule } from '../../src/schedule/filtered-schedule.js';
import { zoneTimeline } from '../../src/schedule/zone-timeline.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** All due times in [fromMs, toMs), found forwards and, which must be the same, backwards. */
function dues(
  expression: string,
  zone: string,
  options: ScheduleOptions,
  fromMs: number,
  toMs: number,
): number[] {
  const schedule = parseSchedule(expression, zone, options);
  const forward: number[] = [];
  for (let due = schedule.next(fromMs - 1); due !== null && due < toMs; due = schedule.next(due))
    forward.push(due);
  const backward: number[] = [];
  for (let due = schedule.previous(toMs); due !== null && due >= fromMs; due = schedule.previous(due))
    backward.unshift(due);
  expect(backward).toEqual(forward);
  return forward;
}

/** The local date by Intl, and its weekday. */
function localDay(zone: string, ms: number): { date: string; weekday: string } {
  const date = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(ms);
  return { date, weekday: WEEKDAYS[new Date(`${date}T00:00Z`).getUTCDay()]! };
}

function matches(items: readonly string[], { date, weekday }: { date: string; weekday: string }): boolean {
  return items.some((item) => {
    if (item === 'mon-fri') return weekday !== 'sat' && weekday !== 'sun';
    const [from, to = from] = item.split('..');
    return item === weekday || (from! <= date && date <= to!);
  });
}

const EXPRESSIONS = [
  '30 */5 * * *',
  '0 0 * * *',
  '15 23 * * *',
  '@every 7h',
  '0 12 13 * 5',
  '0 9 LW * *',
  '0 0 1 1 *',
];
const ZONES = [
  'UTC',
  'America/New_York',
  'America/Santiago',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'America/St_Johns',
];
/** St John's put its clock back at 00:01 until 2011: dates came twice there. */
const PLACES_MS = [
  Date.UTC(2026, 2, 8),
  Date.UTC(2024, 8, 8),
  Date.UTC(2006, 9, 29, 2, 30),
  Date.UTC(2025, 11, 31),
];

describe('only and exclude', () => {
  it('let through exactly the due times on the days that Intl says', () => {
    const item = fc.oneof(
      fc.constantFrom(...WEEKDAYS, 'mon-fri'),
      fc
        .tuple(
          fc.constantFrom(...PLACES_MS),
          fc.integer({ min: -20, max: 20 }),
          fc.integer({ min: 0, max: 9 }),
        )
        .map(([ms, start, days]) => {
          const [from, to] = [start, start + days].map((day) =>
            new Date(ms + day * DAY_MS).toISOString().slice(0, 10),
          );
          return days === 0 ? from! : `${from}..${to}`;
        }),
    );
    const items = fc.array(item, { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.constantFrom(...EXPRESSIONS),
        fc.constantFrom(...ZONES),
        fc.constantFrom(...PLACES_MS),
        items,
        items,
        (expression, zone, aroundMs, only, exclude) => {
          const [fromMs, toMs] = [aroundMs - 15 * DAY_MS, aroundMs + 15 * DAY_MS];
          const expected = dues(expression, zone, {}, fromMs, toMs).filter((due) => {
            const day = localDay(zone, due);
            return (only.length === 0 || matches(only, day)) && !matches(exclude, day);
          });
          expect(dues(expression, zone, { only, exclude }, fromMs, toMs)).toEqual(expected);
        },
      ),
      { numRuns: 300, seed: 11 },
    );
  });

  it('find a date that comes a second time when the clock goes back across midnight', () => {
    // At 00:01 on Sunday the clock went back to 23:01 on Saturday.
    const times = (only: string): string[] =>
      dues(
        '*/20 * * * *',
        'America/St_Johns',
        { only: [only] },
        Date.UTC(2006, 9, 29, 1, 30),
        Date.UTC(2006, 9, 29, 4),
      ).map((ms) => new Date(ms).toISOString().slice(11, 16));
    expect(times('2006-10-28')).toEqual(['01:30', '01:50', '02:10', '02:50', '03:10']);
    expect(times('2006-10-29')).toEqual(['02:30', '03:30', '03:50']);
  });

  it('are found far away at once', () => {
    const schedule = parseSchedule('* * * * * *', 'Europe/Berlin', {
      only: ['2400-01-01'],
      exclude: ['mon'],
    });
    expect(new Date(schedule.next(0)!).toISOString()).toBe('2399-12-31T23:00:00.000Z');
    expect(new Date(schedule.previous(Infinity)!).toISOString()).toBe('2400-01-01T22:59:59.000Z');
    const leap = parseSchedule('0 0 29 2 *', 'UTC', { only: ['sat'] });
    expect(new Date(leap.next(Date.UTC(2076, 2, 1))!).toISOString()).toBe('2116-02-29T00:00:00.000Z');
    const late = parseSchedule('@daily', 'UTC', { exclude: ['2026-01-01..2499-12-31', 'fri'] });
    expect(new Date(late.next(Date.UTC(2026, 0, 1))!).toISOString()).toBe('2500-01-02T00:00:00.000Z');
  });

  it.each<[string, ScheduleOptions]>([
    ['0 0 * * mon', { only: ['sat'] }],
    ['@daily', { only: ['sat', 'sun'], exclude: ['fri', 'sat', 'sun'] }],
    ['@daily', { exclude: ['sun-sat'] }],
    ['@every 1w', { only: ['fri'] }],
    ['0 0 31 12 *', { only: ['2020-01-01'] }],
    ['0 0 * * mon', { only: ['tue', '2026-01-01..9999-12-31'], exclude: ['mon'] }],
    ['* * * * * *', { only: ['2026-12-24'], exclude: ['2026-12-01..2026-12-31'] }],
    ['@daily', { startAt: '2026-02-01', endAt: '2026-01-31' }],
    ['@yearly', { startAt: '2026-01-02', endAt: '2026-12-31' }],
    ['@at 2026-12-24T18:00:00', { exclude: ['thu'] }],
  ])('%s with %j is never due, which is found out in bounded steps', (expression, options) => {
    const schedule = parseSchedule(expression, 'Europe/Berlin', options);
    expect(schedule.neverFires).toBe(true);
    expect(schedule.next(Date.UTC(2026, 10, 21))).toBeNull();
    expect(schedule.previous(Date.UTC(2026, 10, 21))).toBeNull();

    let questions = 0;
    const inner = parseSchedule(expression, 'Europe/Berlin');
    const counting: ParsedSchedule = {
      ...{ expression, timeZone: inner.timeZone, neverFires: false },
      next: (ms) => ((questions += 1), inner.next(ms)),
      previous: (ms) => ((questions += 1), inner.previous(ms)),
      noteAt: () => undefined,
      expressionsAt: () => [],
    };
    const days = new DayFilter(options.only ?? [], options.exclude ?? []);
    const bounds = { startMs: 0, endMs: Infinity, days };
    const bounded = new FilteredSchedule(counting, zoneTimeline('Europe/Berlin'), bounds);
    bounded.next(Date.UTC(2026, 10, 21));
    bounded.previous(Date.UTC(2026, 10, 21));
    expect(questions).toBeLessThan(15_000);
  });
});

describe('startAt and endAt', () => {
  const onlyBetween = (options: ScheduleOptions, zone = 'Europe/Berlin'): string[] =>
    dues('0 */6 * * *', zone, options, 0, Date.UTC(2030, 0, 1)).map((ms) =>
      new Date(ms).toISOString().slice(0, 16),
    );

  it('include both ends, and read local times in the zone', () => {
    expect(onlyBetween({ startAt: '2026-12-24T06:00', endAt: '2026-12-24T18:00:00' })).toEqual([
      '2026-12-24T05:00',
      '2026-12-24T11:00',
      '2026-12-24T17:00',
    ]);
    expect(onlyBetween({ startAt: '2026-12-24T06:00:00Z', endAt: '2026-12-24T18:00:00+01:00' })).toEqual([
      '2026-12-24T11:00',
      '2026-12-24T17:00',
    ]);
  });

  it('mean whole days when they are dates', () => {
    expect(onlyBetween({ startAt: '2026-12-24', endAt: '2026-12-24' })).toEqual([
      '2026-12-23T23:00',
      '2026-12-24T05:00',
      '2026-12-24T11:00',
      '2026-12-24T17:00',
    ]);
  });

  it('follow the rule of clock changes', () => {
    const first = (startAt: string): string =>
      new Date(parseSchedule('* * * * *', 'Europe/Berlin', { startAt }).next(0)!).toISOString();
    expect(first('2026-03-29T02:30')).toBe('2026-03-29T01:00:00.000Z');
    expect(first('2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z');
  });
});

describe('@at', () => {
  it('is due once, and says what a clock change did', () => {
    const schedule = parseSchedule('@at 2026-03-29T02:30:00', 'Europe/Berlin');
    const dueMs = Date.UTC(2026, 2, 29, 1);
    expect([schedule.next(0), schedule.next(dueMs - 1), schedule.next(dueMs)]).toEqual([dueMs, dueMs, null]);
    expect([schedule.previous(dueMs), schedule.previous(dueMs + 1)]).toEqual([null, dueMs]);
    expect(schedule.noteAt(dueMs)).toBe('moved by the clock change (02:30:00 does not exist)');
    const twice = parseSchedule('@at 2026-10-25T02:30:00', 'Europe/Berlin');
    expect(twice.noteAt(twice.next(0)!)).toMatch(/^first of two/);
    expect(parseSchedule('@at 2026-10-25T12:30:00', 'Europe/Berlin').noteAt(0)).toBeUndefined();
  });

  it.each([
    ['@at', 'write 2026-12-24T18:00:00'],
    ['@at 2026-12-24 18:00', 'with a T: 2026-12-24T18:00'],
    ['@at 2026-02-30T00:00', 'write 2026'],
    ['@at 2026-12-24T25:00', 'write 2026'],
    ['@at tomorrow', 'write 2026'],
    ['@att 2026-12-24', 'did you mean @at?'],
  ])('%s is refused', (expression, hint) => {
    expect(() => parseSchedule(expression, 'UTC')).toThrow(
      expect.objectContaining({
        code: 'ETCRON_SCHEDULE_INVALID',
        hint: expect.stringContaining(hint) as string,
      }) as Error,
    );
  });
});

it.each([
  ['2026-12-24', null],
  ['2026-12-24..2027-01-02', null],
  ['SAT', null],
  ['mon-fri', null],
  ['2027-01-02..2026-12-24', 'write 2026-12-24..2027-01-02'],
  ['2026-13-01', 'write 2026-12-24'],
  ['2026-02-29', 'write 2026-12-24'],
  ['2026-12-24..', 'write 2026-12-24'],
  ['saturday', 'did you mean "sat"?'],
  ['fri-mon', 'list the weekdays'],
  ['', 'weekdays are sun mon'],
])('the day %s is judged', (text, hint) => {
  if (hint === null) expect(dayItemProblem(text)).toBeNull();
  else expect(dayItemProblem(text)).toContain(`\n${hint}`);
});

it('moments before 1970, and of no clock, are none', () => {
  for (const text of [
    '1969-12-31',
    '1970-01-01T00:00+01:00',
    '2026-01-01T00:00:60',
    '2026-1-1',
    '2026-01-01T1:00',
  ]) {
    expect(momentProblem(text)).toContain('must be a time from 1970 on');
  }
  expect(momentProblem('2026-01-01T00:00:00.000Z')).toBeNull();
});

it('bounds and days are part of the fingerprint, and change none that has none', () => {
  const of = (options: ScheduleOptions, zone = 'Europe/Berlin'): string =>
    scheduleFingerprint('@every 1h', zone, options);
  const all: ScheduleOptions[] = [
    {},
    { startAt: '2026-12-24' },
    { endAt: '2026-12-24' },
    { startAt: '2026-12-24T00:00' },
    { only: ['sat'] },
    { exclude: ['sat'] },
    { exclude: ['sat', 'sun'] },
  ];
  expect(new Set(all.map((options) => of(options))).size).toBe(all.length);
  expect(of({ startAt: null, endAt: null, only: [], exclude: [] })).toBe(of({}));
  expect(of({ exclude: ['SUN', 'sat'] })).toBe(of({ exclude: ['sat', 'sun'] }));
  expect(of({ startAt: '2026-12-24T00:00Z' })).toBe(of({ startAt: '2026-12-24T01:00+01:00' }, 'UTC'));
  expect(of({ only: ['sat'] })).not.toBe(of({ only: ['sat'] }, 'UTC'));
  expect(scheduleFingerprint('@at 2026-12-24T00:00Z', 'UTC')).toBe(
    scheduleFingerprint('@at 2026-12-24T01:00+01:00', 'Asia/Tokyo'),
  );
});

it('describeBounds names them', () => {
  expect(describeBounds({ startAt: '2026-12-01', only: ['sat', 'sun'], exclude: ['2026-12-24'] })).toBe(
    'from 2026-12-01; only on sat, sun; not on 2026-12-24',
  );
});
