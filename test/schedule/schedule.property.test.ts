import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeSchedule, parseSchedule } from '../../src/schedule/index.js';
import { clockChanges, oracleAllowsDay, oracleDueTimes } from './oracle.js';

const SEED = 20_260_308;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** At the end of 2011 Samoa skipped a whole day. */
const FROM_MS = Date.UTC(2011, 0, 1);
const TO_MS = Date.UTC(2036, 0, 1);

const ZONES = [
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  // Back by an hour for the month of Ramadan.
  'Africa/Casablanca',
  // By two hours.
  'Antarctica/Troll',
  'Pacific/Apia',
  'America/Santiago',
  'Asia/Kathmandu',
  'UTC',
];
const changesByZone = new Map(ZONES.map((zone) => [zone, clockChanges(zone, FROM_MS, TO_MS)]));
const zonesWithChanges = ZONES.filter((zone) => changesByZone.get(zone)!.length > 0);

const anyHour = fc
  .tuple(fc.constantFrom(...ZONES), fc.integer({ min: FROM_MS / HOUR_MS, max: TO_MS / HOUR_MS }))
  .map(([zone, hour]) => ({ zone, aroundMs: hour * HOUR_MS }));
const atChange = fc.tuple(fc.constantFrom(...zonesWithChanges), fc.nat(1_000)).map(([zone, pick]) => {
  const changes = changesByZone.get(zone)!;
  return { zone, aroundMs: changes[pick % changes.length]! };
});
/** Half of the places are at clock changes. */
const place = fc.oneof(anyHour, atChange);

const someSeconds = fc.constantFrom('0', '0', '30', '59', '5-8', '*/20', '*', '7,31');
const minute = fc.oneof(
  fc.constantFrom(
    '*',
    '*/5',
    '*/7',
    '*/30',
    '0',
    '0',
    '30',
    '59',
    '0,15,30',
    '10-20',
    '5/15',
    '*/20,7',
    '3,*/45',
  ),
  fc.nat(59).map(String),
);
const hour = fc.oneof(
  fc.constantFrom(
    '*',
    '*/2',
    '*/5',
    '0',
    '1',
    '2',
    '3',
    '23',
    '0-3',
    '1,2',
    '1-2',
    '2/3',
    '23,0',
    '22-23,0-2',
    '5,*',
  ),
  fc.nat(23).map(String),
);
const dayOfMonth = fc.oneof(
  { weight: 3, arbitrary: fc.constant('*') },
  fc.constantFrom(
    '*/2',
    '?',
    '1',
    '1-15',
    '13',
    'L',
    '1,L',
    '28-31',
    '10-31/3',
    '8',
    '*,4',
    '5/2',
    '15W',
    '1W',
    'LW',
    '31W,5',
    '1,LW',
  ),
);
const month = fc.oneof(
  { weight: 4, arbitrary: fc.constant('*') },
  fc.constantFrom('MAR,APR,SEP-NOV', '3-11', '*/2', '1/3', 'OCT', '2'),
);
const dayOfWeek = fc.oneof(
  { weight: 3, arbitrary: fc.constant('*') },
  fc.constantFrom(
    'SUN',
    '1-5',
    '5-7',
    '0',
    '7',
    'SUN,6',
    '5L',
    '0L',
    '7#2',
    'SUN#1',
    '*/2',
    '?',
    '0,7',
    'FRI,0#2',
    '2/2',
  ),
);
const dayFields = fc.tuple(dayOfMonth, month, dayOfWeek);

/** Checks every question that can be asked in a window against the oracle's answer. */
function checkWindow(
  expression: string,
  zone: string,
  fromMs: number,
  toMs: number,
  probesMs: number[],
): void {
  const schedule = parseSchedule(expression, zone);
  const expected = oracleDueTimes(expression, zone, fromMs, toMs);
  const inside = (ms: number | null): number | null => (ms !== null && ms >= fromMs && ms < toMs ? ms : null);

  const forward: number[] = [];
  for (let due = inside(schedule.next(fromMs - 1)); due !== null; due = inside(schedule.next(due)))
    forward.push(due);
  expectSame(forward, expected);

  const backward: number[] = [];
  for (let due = inside(schedule.previous(toMs)); due !== null; due = inside(schedule.previous(due))) {
    backward.push(due);
  }
  expectSame(backward.reverse(), expected);

  for (const probeMs of probesMs) {
    expect(inside(schedule.next(probeMs))).toBe(expected.find((due) => due > probeMs) ?? null);
    expect(inside(schedule.previous(probeMs))).toBe(expected.findLast((due) => due < probeMs) ?? null);
  }
}

/** Compares thousands of times at once; words are only made for a difference. */
function expectSame(actual: number[], expected: number[]): void {
  if (actual.length === expected.length && actual.every((ms, i) => ms === expected[i])) return;
  const iso = (ms: number): string => new Date(ms).toISOString();
  expect(actual.map(iso)).toEqual(expected.map(iso));
}

describe('due times against the oracle', () => {
  it('agree over three days in minutes', () => {
    fc.assert(
      fc.property(
        place,
        fc.tuple(minute, hour, dayFields),
        fc.array(fc.integer({ min: -36 * HOUR_MS, max: 36 * HOUR_MS - 1 }), { minLength: 5, maxLength: 5 }),
        ({ zone, aroundMs }, [minutes, hours, days], probes) => {
          const expression = ['0', minutes, hours, ...days].join(' ');
          const probesMs = probes.map((probe) => aroundMs + probe);
          checkWindow(expression, zone, aroundMs - 36 * HOUR_MS, aroundMs + 36 * HOUR_MS, probesMs);
        },
      ),
      { seed: SEED, numRuns: 400 },
    );
  });

  it('agree over the hours around in seconds', () => {
    fc.assert(
      fc.property(
        place,
        fc.tuple(someSeconds, minute, hour),
        fc.array(fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS - 1 }), { minLength: 5, maxLength: 5 }),
        ({ zone, aroundMs }, times, probes) => {
          const expression = `${times.join(' ')} * * *`;
          const probesMs = probes.map((probe) => aroundMs + probe);
          checkWindow(expression, zone, aroundMs - 2 * HOUR_MS, aroundMs + 2 * HOUR_MS, probesMs);
        },
      ),
      { seed: SEED + 1, numRuns: 300 },
    );
  });

  it('agree over seven weeks for schedules of few days', () => {
    fc.assert(
      fc.property(place, fc.constantFrom('0', '2', '1,23'), dayFields, ({ zone, aroundMs }, hours, days) => {
        const fromMs = aroundMs - 20 * DAY_MS;
        checkWindow(`0 30 ${hours} ${days.join(' ')}`, zone, fromMs, fromMs + 49 * DAY_MS, []);
      }),
      { seed: SEED + 2, numRuns: 15 },
    );
  });

  it('agree over thirty years of days for the nearest weekday', () => {
    for (const days of ['1W', '15W', '28W', '29W', '30W', '31W', 'LW', '2W,LW,L']) {
      const schedule = parseSchedule(`0 0 ${days} * *`, 'UTC');
      const expected: number[] = [];
      const found: number[] = [];
      for (let ms = Date.UTC(2020, 0, 1); ms < Date.UTC(2050, 0, 1); ms += DAY_MS) {
        if (oracleAllowsDay(days, new Date(ms))) expected.push(ms);
        if (schedule.next(ms - 1) === ms) found.push(ms);
      }
      expect(expected.length).toBeGreaterThan(200);
      expectSame(found, expected);
    }
  });
});

describe('due times against cron-parser in UTC', () => {
  // cron-parser knows only whole-field `*` as unrestricted and refuses some lists: stay within what both mean alike.
  const plainDays = fc.tuple(
    fc.constantFrom('*', '1', '13', '28-31', 'L', '29'),
    fc.constantFrom('*', '2', 'MAR,OCT', '*/5'),
    fc.constantFrom('*', '1', '5-7', 'SUN', '5L', '3#2'),
  );

  it('agree for a row of due times in both directions', () => {
    fc.assert(
      fc.property(anyHour, someSeconds, plainDays, ({ aroundMs }, seconds, days) => {
        const expression = `${seconds} 7,45 3,20 ${days.join(' ')}`;
        const ours = parseSchedule(expression, 'UTC');
        const options = { tz: 'UTC', currentDate: new Date(aroundMs) };
        const forward = CronExpressionParser.parse(expression, options);
        const backward = CronExpressionParser.parse(expression, options);
        let next: number | null = aroundMs;
        let previous: number | null = aroundMs;
        for (let i = 0; i < 8; i++) {
          next = ours.next(next!);
          expect(next).toBe(forward.next().getTime());
          previous = ours.previous(previous!);
          expect(previous).toBe(backward.prev().getTime());
        }
      }),
      { seed: SEED + 3, numRuns: 100 },
    );
  });

  it('agree in zones with clock changes on days without one', () => {
    fc.assert(
      fc.property(anyHour, minute, hour, ({ zone, aroundMs }, minutes, hours) => {
        const isNearChange = changesByZone.get(zone)!.some((ms) => Math.abs(ms - aroundMs) < 4 * DAY_MS);
        fc.pre(!isNearChange && !`${minutes} ${hours}`.includes(',*'));
        const expression = `${minutes} ${hours} * * *`;
        const ours = parseSchedule(expression, zone);
        const theirs = CronExpressionParser.parse(expression, { tz: zone, currentDate: new Date(aroundMs) });
        let due: number | null = aroundMs;
        for (let i = 0; i < 3; i++) {
          due = ours.next(due!);
          expect(due).toBe(theirs.next().getTime());
        }
      }),
      { seed: SEED + 4, numRuns: 100 },
    );
  });
});

describe('next and previous in every zone', () => {
  const everywhere = fc.tuple(
    fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
    fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }),
  );

  it('are inverse to each other and strict', () => {
    fc.assert(
      fc.property(everywhere, fc.tuple(someSeconds, minute, hour, dayFields), ([zone, atMs], fields) => {
        const schedule = parseSchedule(fields.flat().join(' '), zone);
        const next = schedule.next(atMs);
        if (next === null) return expect(schedule.neverFires).toBe(true);
        expect(next).toBeGreaterThan(atMs);
        expect(schedule.next(next - 1)).toBe(next);
        const before = schedule.previous(next);
        if (before !== null) {
          expect(before).toBeLessThanOrEqual(atMs);
          expect(schedule.next(before)).toBe(next);
          expect(schedule.previous(before + 1)).toBe(before);
        }
        return undefined;
      }),
      { seed: SEED + 5, numRuns: 300 },
    );
  });
});

describe('describeSchedule', () => {
  it('has words for every expression that parses', () => {
    fc.assert(
      fc.property(fc.tuple(someSeconds, minute, hour, dayFields), (fields) => {
        const text = describeSchedule(fields.flat().join(' '));
        expect(text).not.toMatch(/undefined|NaN|null|At \*/);
        expect(text.length).toBeGreaterThan(5);
      }),
      { seed: SEED + 6, numRuns: 500 },
    );
  });
});
