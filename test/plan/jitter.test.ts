import { describe, expect, it } from 'vitest';
import { jitteredStart } from '../../src/plan/jitter.js';
import { parseSchedule } from '../../src/schedule/index.js';

const MINUTELY = parseSchedule('* * * * *', 'UTC');
const DUE_MS = Date.UTC(2026, 0, 1);

function delays(name: string, jitterMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const dueMs = DUE_MS + index * 60_000;
    return jitteredStart({ name, jitterMs }, MINUTELY, dueMs)! - dueMs;
  });
}

describe('jitteredStart', () => {
  it('is null without jitter', () => {
    expect(jitteredStart({ name: 'a', jitterMs: 0 }, MINUTELY, DUE_MS)).toBeNull();
  });

  it('is the same each time, and another one for another job or due time', () => {
    expect(delays('a', 30_000, 50)).toEqual(delays('a', 30_000, 50));
    expect(new Set(delays('a', 30_000, 50)).size).toBeGreaterThan(45);
    expect(delays('a', 30_000, 50)).not.toEqual(delays('b', 30_000, 50));
  });

  it('lies in [0, jitter), spread evenly', () => {
    const found = delays('a', 30_000, 3_000);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...found)).toBeLessThan(30_000);
    const tenths = found.reduce(
      (counts, ms) => counts.with(Math.floor(ms / 3_000), counts[Math.floor(ms / 3_000)]! + 1),
      Array<number>(10).fill(0),
    );
    // 300 are expected in each; 5 standard deviations are 82.
    for (const count of tenths) expect(Math.abs(count - 300)).toBeLessThan(82);
    expect(delays('a', 1, 20)).toEqual(Array(20).fill(0));
  });

  it('never reaches the next due time, so that runs keep their order', () => {
    const found = delays('a', 3_600_000, 500);
    expect(Math.max(...found)).toBeLessThan(60_000);
    expect(Math.max(...found)).toBeGreaterThan(55_000);
    const once = parseSchedule('@at 2026-01-01T00:00:00Z', 'UTC');
    expect(jitteredStart({ name: 'a', jitterMs: 3_600_000 }, once, DUE_MS)! - DUE_MS).toBeGreaterThan(60_000);
  });
});
