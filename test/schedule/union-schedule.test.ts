import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeSchedule, parseSchedule, preview, scheduleFingerprint } from '../../src/schedule/index.js';
import { oracleDueTimes } from './oracle.js';

const HOUR_MS = 3_600_000;
const EXPRESSIONS = [
  '*/30 1-3 * * *',
  '30 2 * * *',
  '15,30 * * * *',
  '0 0 * * *',
  '45 23 L * *',
  '0 3 30 2 *',
];
const PLACES = [
  { zone: 'America/New_York', aroundMs: Date.UTC(2025, 2, 9, 7) },
  { zone: 'America/New_York', aroundMs: Date.UTC(2025, 10, 2, 6) },
  { zone: 'Europe/Berlin', aroundMs: Date.UTC(2025, 3, 30, 22) },
];

describe('several schedules', () => {
  it('are due when one of them is, by the oracle, and once where they coincide', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PLACES),
        fc.array(fc.constantFrom(...EXPRESSIONS), { minLength: 2, maxLength: 5 }),
        ({ zone, aroundMs }, expressions) => {
          const [fromMs, toMs] = [aroundMs - 24 * HOUR_MS, aroundMs + 24 * HOUR_MS];
          const each = expressions.map((one) => oracleDueTimes(`0 ${one}`, zone, fromMs, toMs));
          const expected = [...new Set(each.flat())].sort((a, b) => a - b);
          const schedule = parseSchedule(expressions, zone);

          const forward: number[] = [];
          for (let due = schedule.next(fromMs - 1); due !== null && due < toMs; due = schedule.next(due))
            forward.push(due);
          expect(forward).toEqual(expected);

          const backward: number[] = [];
          for (let due = schedule.previous(toMs); due !== null && due >= fromMs; due = schedule.previous(due))
            backward.unshift(due);
          expect(backward).toEqual(expected);

          for (const due of expected) {
            const asking = expressions.filter((_, index) => each[index]!.includes(due));
            expect(schedule.expressionsAt(due)).toEqual([...new Set(asking)]);
          }
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  it('are never due when none of them is, and due when one is', () => {
    expect(parseSchedule(['0 0 30 2 *', '0 0 31 4 *'], 'UTC')).toMatchObject({ neverFires: true });
    expect(parseSchedule(['0 0 30 2 *', '0 0 31 4 *'], 'UTC').next(0)).toBeNull();
    expect(parseSchedule(['0 0 30 2 *', '@daily'], 'UTC')).toMatchObject({ neverFires: false });
  });

  it('say which one is due, and what a clock change did to it', () => {
    const schedule = parseSchedule(['30 2 * * *', '0 3 * * sun', '0 12 * * *'], 'America/New_York');
    const entries = preview(schedule, Date.UTC(2025, 2, 9), 3);
    expect(entries.map(({ localText, expressions, note }) => [localText, expressions, note])).toEqual([
      [
        'Sun 2025-03-09 03:00:00 -04:00',
        ['30 2 * * *', '0 3 * * sun'],
        'moved by the clock change (02:30:00 does not exist)',
      ],
      ['Sun 2025-03-09 12:00:00 -04:00', ['0 12 * * *'], undefined],
      ['Mon 2025-03-10 02:30:00 -04:00', ['30 2 * * *'], undefined],
    ]);
  });

  it('of which there is one are that one', () => {
    expect(parseSchedule(['@daily'], 'UTC')).toBe(parseSchedule('@daily', 'UTC'));
    expect(() => parseSchedule([], 'UTC')).toThrow('the list is empty');
    expect(() => parseSchedule(['@daily', '61 * * * *'], 'UTC')).toThrow('61 is outside 0-59');
  });

  it('are described one after the other', () => {
    expect(describeSchedule(['0 7 * * 1', '@every 90s'])).toBe(
      'At 07:00, only on Monday; and Every 1m30s, counted from 1970-01-01 00:00:00 UTC',
    );
  });

  it('have a fingerprint that covers all of them, in any order', () => {
    const one = scheduleFingerprint(['0 7 * * 1', '@daily'], 'UTC');
    expect(scheduleFingerprint(['@midnight', '0 7 * * 1', '@daily'], 'UTC')).toBe(one);
    expect(scheduleFingerprint(['0 7 * * 1', '@hourly'], 'UTC')).not.toBe(one);
    expect(scheduleFingerprint('0 7 * * 1', 'UTC')).not.toBe(one);
    expect(scheduleFingerprint(['@daily'], 'UTC')).toBe(scheduleFingerprint('@daily', 'UTC'));
  });
});
