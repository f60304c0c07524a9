import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNT_LIMIT, decideMisfires, type MisfireInput } from '../../src/plan/misfire.js';
import { parseSchedule } from '../../src/schedule/index.js';

const EVERY_SECOND = parseSchedule('* * * * * *', 'UTC');
const BASE = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

function decide(input: Partial<MisfireInput> & { policy: MisfireInput['policy'] }) {
  return decideMisfires({
    schedule: EVERY_SECOND,
    firstDueMs: BASE + 1_000,
    throughMs: BASE + 5_000,
    planned: [],
    isCovered: () => false,
    isTooLate: () => false,
    nowMs: BASE + 15_000,
    ...input,
  });
}

const dues = (...seconds: number[]): number[] => seconds.map((second) => BASE + second * 1_000);

describe('decideMisfires', () => {
  it('skip: runs none', () => {
    const decision = decide({ policy: { policy: 'skip', windowMs: HOUR, limit: 9 } });
    expect(decision).toEqual({ run: [], missed: dues(1, 2, 3, 4, 5), atLeast: false });
  });

  it('once: runs the latest', () => {
    const decision = decide({ policy: { policy: 'once', windowMs: HOUR, limit: 9 } });
    expect(decision).toEqual({ run: dues(5), missed: dues(1, 2, 3, 4), atLeast: false });
  });

  it('once: runs none when the latest is too old', () => {
    expect(decide({ policy: { policy: 'once', windowMs: 9_999, limit: 9 } }).run).toEqual([]);
    expect(decide({ policy: { policy: 'once', windowMs: 10_000, limit: 9 } }).run).toEqual(dues(5));
  });

  it('all: runs each within the window, at most the latest limit', () => {
    expect(decide({ policy: { policy: 'all', windowMs: 12_000, limit: 9 } }).run).toEqual(dues(3, 4, 5));
    expect(decide({ policy: { policy: 'all', windowMs: HOUR, limit: 2 } }).run).toEqual(dues(4, 5));
  });

  it('takes planned ones in, and leaves covered ones out', () => {
    const decision = decide({
      policy: { policy: 'all', windowMs: HOUR, limit: 9 },
      firstDueMs: BASE + 4_000,
      planned: dues(1, 3),
      isCovered: (due) => due === BASE + 5_000,
    });
    expect(decision).toEqual({ run: dues(1, 3, 4), missed: [], atLeast: false });
  });

  it('counts a long gap only so far, and still knows its newest', () => {
    const throughMs = BASE + 50_000_000;
    const decision = decide({
      policy: { policy: 'all', windowMs: 1_000 * HOUR, limit: 3 },
      throughMs,
      nowMs: throughMs,
    });
    expect(decision.atLeast).toBe(true);
    expect(decision.run).toEqual([throughMs - 2_000, throughMs - 1_000, throughMs]);
    expect(decision.missed[0]).toBe(BASE + 1_000);
    expect(decision.missed.at(-1)).toBe(throughMs - 3_000);
    expect(decision.missed.length).toBeLessThanOrEqual(2 * COUNT_LIMIT);
  });

  it('accounts for each due time exactly once', () => {
    const policy = fc.record({
      policy: fc.constantFrom('once' as const, 'skip' as const, 'all' as const),
      windowMs: fc.integer({ min: 0, max: 120_000 }),
      limit: fc.integer({ min: 1, max: 30 }),
    });
    const seconds = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 20 });
    fc.assert(
      fc.property(
        policy,
        seconds,
        seconds,
        fc.integer({ min: 1, max: 60 }),
        (rule, planned, covered, last) => {
          const free = planned.filter((second) => !covered.includes(second));
          const isCovered = (due: number): boolean =>
            covered.includes((due - BASE) / 1_000) || free.includes((due - BASE) / 1_000);
          const decision = decide({
            policy: rule,
            throughMs: BASE + last * 1_000,
            planned: dues(...free),
            isCovered,
          });
          const expected = new Set(dues(...free));
          for (let second = 1; second <= last; second += 1) {
            if (!isCovered(BASE + second * 1_000)) expected.add(BASE + second * 1_000);
          }
          const all = [...decision.missed, ...decision.run];
          expect(all).toEqual([...expected].sort((a, b) => a - b));
        },
      ),
    );
  });
});
