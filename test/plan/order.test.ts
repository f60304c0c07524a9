import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { before, isBehind, lastDueWithin, nextAfter, type Position } from '../../src/plan/order.js';
import { parseSchedule } from '../../src/schedule/index.js';

const SECONDLY = parseSchedule('* * * * * *', 'UTC');
const job = fc.constantFrom('a', 'b', 'c');
const due = fc.integer({ min: 1, max: 4 }).map((second) => second * 1_000);
const position = fc.record({ due, job: fc.option(job, { nil: null }) });
const occurrence = fc.record({ dueMs: due, job });

/** The meaning of a position: everything up to it is planned. */
function holds(where: Position, one: { dueMs: number; job: string }): boolean {
  if (one.dueMs !== where.due) return one.dueMs < where.due;
  return where.job === null || one.job <= where.job;
}

describe('the order of planning', () => {
  it('is total', () => {
    fc.assert(
      fc.property(occurrence, occurrence, (a, b) => {
        const same = a.dueMs === b.dueMs && a.job === b.job;
        expect([before(a, b), before(b, a)].filter(Boolean)).toHaveLength(same ? 0 : 1);
      }),
    );
  });

  it('splits the due times of a job at a position: none is on both sides, none on neither', () => {
    fc.assert(
      fc.property(position, job, (where, name) => {
        const next = nextAfter(where, name, SECONDLY)!;
        const last = lastDueWithin(where, name);
        expect(holds(where, { dueMs: next, job: name })).toBe(false);
        expect(holds(where, { dueMs: next - 1_000, job: name })).toBe(true);
        expect(SECONDLY.next(last)).toBe(next);
      }),
    );
  });

  it('isBehind: a position is behind another when it holds more', () => {
    const all = ['a', 'b', 'c'].flatMap((name) => [1, 2, 3, 4].map((s) => ({ dueMs: s * 1_000, job: name })));
    const count = (where: Position): number =>
      all.filter((one) => holds(where, one)).length + (where.job === null ? 0.5 : 0);
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(isBehind(a, b)).toBe(count(a) > count(b));
      }),
    );
  });
});
