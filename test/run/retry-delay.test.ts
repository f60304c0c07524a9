import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelayMs, type FailedAttempt } from '../../src/run/retry-delay.js';

const policy = {
  ...{ attempts: 6, delayMs: 1000, backoff: 'exponential' as const, maxDelayMs: 5000 },
  ...{ jitterMs: 0, exitCodes: null },
};
const RUN = 'backup/2026-11-21T14:00:00.000Z';
const after = (failedAttempts: number, how: Partial<FailedAttempt> = {}): FailedAttempt => ({
  ...{ runId: RUN, failedAttempts, exitCode: 1 },
  ...how,
});

describe('retryDelayMs', () => {
  it('doubles the delay with each failure, up to the cap, until no attempt is left', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((failed) => retryDelayMs(policy, after(failed)));
    expect(delays).toEqual([1000, 2000, 4000, 5000, 5000, null, null]);
  });

  it('keeps a fixed delay, capped too', () => {
    expect(
      [1, 2, 5, 6].map((failed) => retryDelayMs({ ...policy, backoff: 'fixed' }, after(failed))),
    ).toEqual([1000, 1000, 1000, null]);
    expect(retryDelayMs({ ...policy, backoff: 'fixed', delayMs: 9000 }, after(1))).toBe(5000);
  });

  it('does not retry a job with one attempt', () => {
    expect(retryDelayMs({ ...policy, attempts: 1 }, after(1))).toBeNull();
  });

  it('neither overflows nor turns into no number, however many attempts failed', () => {
    for (const failed of [31, 32, 53, 1023, 1024, 2000, 1e9]) {
      expect(retryDelayMs({ ...policy, attempts: Infinity }, after(failed))).toBe(5000);
      expect(retryDelayMs({ ...policy, attempts: Infinity, delayMs: 0 }, after(failed))).toBe(0);
    }
  });

  it('never shrinks from one failure to the next and never exceeds the cap', () => {
    const policies = fc.record({
      attempts: fc.constant(Infinity),
      delayMs: fc.integer({ min: 0, max: 1e9 }),
      backoff: fc.constantFrom('fixed' as const, 'exponential' as const),
      maxDelayMs: fc.integer({ min: 0, max: 1e9 }),
      jitterMs: fc.constant(0),
      exitCodes: fc.constant(null),
    });
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 5000 }), (any, failed) => {
        const delay = retryDelayMs(any, after(failed))!;
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeLessThanOrEqual(any.maxDelayMs);
        expect(retryDelayMs(any, after(failed + 1))!).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  it('retries after the given exit codes only', () => {
    const some = { ...policy, exitCodes: [75, 111] };
    expect(retryDelayMs(some, after(1, { exitCode: 75 }))).toBe(1000);
    expect(retryDelayMs(some, after(1, { exitCode: 1 }))).toBeNull();
    expect(retryDelayMs(some, after(1, { exitCode: null }))).toBeNull();
    expect(retryDelayMs(some, after(6, { exitCode: 75 }))).toBeNull();
  });

  it('adds a part of the jitter that is the same for everybody, and another for each run and attempt', () => {
    const jittery = { ...policy, jitterMs: 60_000, backoff: 'fixed' as const, attempts: 100 };
    const waits = Array.from({ length: 50 }, (_, index) => retryDelayMs(jittery, after(index + 1))!);
    expect(waits).toEqual(waits.map((_, index) => retryDelayMs(jittery, after(index + 1))));
    expect(new Set(waits).size).toBeGreaterThan(45);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(1000);
      expect(wait).toBeLessThan(61_000);
    }
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(40_000);
    expect(retryDelayMs(jittery, after(1, { runId: 'other' }))).not.toBe(waits[0]);
  });
});
