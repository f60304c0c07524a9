import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelayMs, type RetryPolicy } from '../../src/run/retry-delay.js';

const policy: RetryPolicy = { attempts: 6, delayMs: 1000, backoff: 'exponential', maxDelayMs: 5000 };

describe('retryDelayMs', () => {
  it('doubles the delay with each failure, up to the cap, until no attempt is left', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((failed) => retryDelayMs(policy, failed));
    expect(delays).toEqual([1000, 2000, 4000, 5000, 5000, null, null]);
  });

  it('keeps a fixed delay, capped too', () => {
    expect([1, 2, 5, 6].map((failed) => retryDelayMs({ ...policy, backoff: 'fixed' }, failed))).toEqual([
      1000,
      1000,
      1000,
      null,
    ]);
    expect(retryDelayMs({ ...policy, backoff: 'fixed', delayMs: 9000 }, 1)).toBe(5000);
  });

  it('does not retry a job with one attempt', () => {
    expect(retryDelayMs({ ...policy, attempts: 1 }, 1)).toBeNull();
  });

  it('neither overflows nor turns into no number, however many attempts failed', () => {
    for (const failed of [31, 32, 53, 1023, 1024, 2000, 1e9]) {
      expect(retryDelayMs({ ...policy, attempts: Infinity }, failed)).toBe(5000);
      expect(retryDelayMs({ ...policy, attempts: Infinity, delayMs: 0 }, failed)).toBe(0);
    }
  });

  it('never shrinks from one failure to the next and never exceeds the cap', () => {
    const policies = fc.record({
      attempts: fc.constant(Infinity),
      delayMs: fc.integer({ min: 0, max: 1e9 }),
      backoff: fc.constantFrom('fixed' as const, 'exponential' as const),
      maxDelayMs: fc.integer({ min: 0, max: 1e9 }),
    });
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 5000 }), (any, failed) => {
        const delay = retryDelayMs(any, failed)!;
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeLessThanOrEqual(any.maxDelayMs);
        expect(retryDelayMs(any, failed + 1)!).toBeGreaterThanOrEqual(delay);
      }),
    );
  });
});
