import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRunId, Keys, parseRunId } from '../../src/etcd/keys.js';

const job = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const dueMs = fc.integer({ min: 0, max: Date.UTC(10_000, 0, 1) - 1 });
const suffix = fc.option(fc.string({ minLength: 1, maxLength: 200 }), { nil: null });

describe('run ids', () => {
  it('come back from their text', () => {
    fc.assert(
      fc.property(fc.record({ job, dueMs, suffix }), (id) => {
        expect(parseRunId(formatRunId(id))).toEqual(id);
      }),
    );
  });

  it('are the only text of what they stand for, and nothing else is one', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `job/${text}`),
        ),
        (text) => {
          const id = parseRunId(text);
          if (id) expect(formatRunId(id)).toBe(text);
        },
      ),
    );
    for (const text of [
      'job',
      'job/',
      'job/2026-02-30T00:00:00.000Z',
      'job/2026-01-01T00:00:00Z',
      'job/2026-01-01T00:00:00.000Z+',
      '-job/2026-01-01T00:00:00.000Z',
      'a/b/2026-01-01T00:00:00.000Z',
    ]) {
      expect(parseRunId(text)).toBeNull();
    }
  });
});

describe('Keys', () => {
  it('mirrors counts, cursor, firings, jobs, kills and leader, and neither locks nor runs', () => {
    const keys = new Keys('/x');
    const id = { job: 'j', dueMs: 0, suffix: null };
    const { start, end } = keys.mirrored;
    const inside = (key: string): boolean => start <= key && key < end;
    const mirrored = [
      keys.count('j'),
      keys.cursor,
      keys.firing(id),
      keys.job('j'),
      keys.kill(id),
      keys.leader,
    ];
    for (const key of mirrored) {
      expect([key, inside(key)]).toEqual([key, true]);
    }
    for (const key of [keys.lock(id), keys.slot('j', 0), keys.run(id), keys.worker('w')]) {
      expect([key, inside(key)]).toEqual([key, false]);
    }
  });

  it("keeps jobs apart of which one's name begins with the other's", () => {
    const keys = new Keys();
    const { start, end } = keys.runsOf('a');
    const other = keys.run({ job: 'a.b', dueMs: 0, suffix: null });
    expect(start <= other && other < end).toBe(false);
  });
});
