import { describe, expect, it } from 'vitest';
import { dueOfJob, judgeStarts } from '../../../bench/peer/starts.js';

describe("the peer's runs", () => {
  it('know their due time', () => {
    expect(dueOfJob('repeat:job-00001:1767225600000')).toBe(1767225600000);
  });

  it('are counted once, by the first start, and as lost, doubled or early', () => {
    const expected = new Set(['a', 'b', 'c', 'd']);
    const starts = [
      { id: 'a', dueMs: 1_000, startedMs: 1_040 },
      { id: 'a', dueMs: 1_000, startedMs: 1_010 },
      { id: 'b', dueMs: 1_000, startedMs: 999 },
      { id: 'c', dueMs: 1_000, startedMs: 1_020 },
      { id: 'warm-up', dueMs: 0, startedMs: 9_000 },
    ];
    expect(judgeStarts(expected, starts)).toEqual({
      ...{ latenessP50Ms: 10, latenessP99Ms: 20, latenessMaxMs: 20 },
      ...{ lost: 1, doubled: 1, early: 1 },
    });
  });
});
