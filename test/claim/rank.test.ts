import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashText, rankOf, type Candidate } from '../../src/claim/rank.js';

const candidates = (ids: readonly string[]): Candidate[] =>
  ids.map((nodeId) => ({ nodeId, hash: hashText(nodeId) }));
const nodeIds = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}-[0-9a-z]{6}$/), {
  minLength: 1,
  maxLength: 12,
});

function order(runId: string, ids: readonly string[]): string[] {
  const all = candidates(ids);
  return [...ids].sort((a, b) => rankOf(runId, a, all) - rankOf(runId, b, all));
}

describe('rankOf', () => {
  it('is a permutation that every node agrees on, whatever the order of its list', () => {
    fc.assert(
      fc.property(nodeIds, fc.string(), (ids, runId) => {
        const all = candidates(ids);
        const ranks = ids.map((id) => rankOf(runId, id, all));
        expect([...ranks].sort((a, b) => a - b)).toEqual(ids.map((_, index) => index));
        expect(ids.map((id) => rankOf(runId, id, [...all].reverse()))).toEqual(ranks);
      }),
    );
  });

  it('is a permutation also where hashes collide', () => {
    const all = ['b', 'a', 'c'].map((nodeId) => ({ nodeId, hash: 7 }));
    expect(['a', 'b', 'c'].map((id) => rankOf('job/x', id, all))).toEqual([0, 1, 2]);
  });

  it('keeps the order of the others when a node goes', () => {
    fc.assert(
      fc.property(nodeIds, fc.string(), fc.nat(), (ids, runId, pick) => {
        const gone = ids[pick % ids.length]!;
        const rest = ids.filter((id) => id !== gone);
        expect(order(runId, rest)).toEqual(order(runId, ids).filter((id) => id !== gone));
      }),
    );
  });

  it('is -1 for who is no candidate', () => {
    expect(rankOf('job/x', 'z', candidates(['a', 'b']))).toBe(-1);
  });

  it.each([2, 3, 5, 9])('spreads the due times of one job evenly over %i nodes, at every rank', (count) => {
    const ids = Array.from({ length: count }, (_, index) => `worker-${index}-abc${index}de`);
    const all = candidates(ids);
    const firings = 4_000;
    const counts = ids.map(() => ids.map(() => 0));
    for (let second = 0; second < firings; second += 1) {
      const runId = `job/${new Date(second * 1_000).toISOString()}`;
      ids.forEach((id, index) => (counts[index]![rankOf(runId, id, all)]! += 1));
    }
    for (const share of counts.flat()) {
      expect(share * count).toBeGreaterThan(firings * 0.8);
      expect(share * count).toBeLessThan(firings * 1.2);
    }
  });
});
