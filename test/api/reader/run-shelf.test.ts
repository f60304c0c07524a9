import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatRunId, type FiringId } from '../../../src/etcd/keys.js';
import { emptyRecord } from '../../../src/history/run-record.js';
import { itemOf, newestFirst, type RunItem } from '../../../src/api/reader/run-item.js';
import { RunShelf } from '../../../src/api/reader/run-shelf.js';

function item(job: string, dueMs: number, suffix: string | null = null): RunItem {
  return itemOf({ id: { job, dueMs, suffix }, record: emptyRecord('succeeded', null, dueMs), problem: null });
}

const ids = (items: Iterable<RunItem>): string[] => [...items].map(({ id }) => formatRunId(id));

const anId = fc.record<FiringId>({
  job: fc.constantFrom('a', 'b', 'c'),
  dueMs: fc.integer({ min: 0, max: 30 }).map((second) => second * 1_000),
  suffix: fc.constantFrom(null, 'manual-1', 'on-w1'),
});

describe('the shelf of runs', () => {
  test('holds what was put and not deleted, in order, and knows the newest of each job', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('put', 'put', 'delete'), anId), { maxLength: 400 }),
        (steps) => {
          const shelf = new RunShelf(10_000);
          const model = new Map<string, FiringId>();
          for (const [what, id] of steps) {
            if (what === 'put') {
              shelf.put(item(id.job, id.dueMs, id.suffix));
              model.set(formatRunId(id), id);
            } else {
              shelf.delete(id);
              model.delete(formatRunId(id));
            }
            shelf.newestOf(id.job);
          }
          const expected = [...model.values()].sort(newestFirst);
          expect(ids(shelf.newest())).toEqual(expected.map(formatRunId));
          expect(shelf.size).toBe(model.size);
          for (const job of ['a', 'b', 'c']) {
            const newest = shelf.newestOf(job);
            const wanted = expected.find((id) => id.job === job);
            expect(newest && formatRunId(newest.id)).toBe(wanted && formatRunId(wanted));
          }
          for (const [index, id] of expected.entries())
            expect(ids(shelf.newest({ after: id }))).toEqual(expected.slice(index + 1).map(formatRunId));
          const before = expected.filter(({ dueMs }) => dueMs < 15_000);
          expect(ids(shelf.newest({ beforeMs: 15_000 }))).toEqual(before.map(formatRunId));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('takes many at once as it takes them one by one', () => {
    fc.assert(
      fc.property(fc.array(anId, { maxLength: 100 }), fc.array(anId, { maxLength: 100 }), (first, rest) => {
        const [one, many] = [new RunShelf(50), new RunShelf(50)];
        for (const id of first) for (const shelf of [one, many]) shelf.put(item(id.job, id.dueMs, id.suffix));
        for (const id of rest) one.put(item(id.job, id.dueMs, id.suffix));
        many.putAll(rest.map((id) => item(id.job, id.dueMs, id.suffix)));
        expect(many.size).toBeLessThanOrEqual(50);
        if (one.floorMs === null && many.floorMs === null)
          expect(ids(many.newest())).toEqual(ids(one.newest()));
        for (const job of ['a', 'b', 'c']) {
          const newest = [...many.newest()].find(({ id }) => id.job === job);
          expect(many.newestOf(job)).toBe(newest);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('beyond its bound the oldest go, and it says up to where', () => {
    const shelf = new RunShelf(100);
    for (let second = 0; second < 250; second += 1) shelf.put(item('a', second * 1_000));
    expect(shelf.size).toBe(100);
    expect(shelf.floorMs).toBe(149_000);
    expect(ids(shelf.newest()).length).toBe(100);
  });
});
