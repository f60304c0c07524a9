export interface RetryPolicy {
  /** How many attempts a firing gets in all, the first one included. */
  readonly attempts: number;
  /** Wait before the second attempt, in ms. */
  readonly delayMs: number;
  /** `exponential` doubles the wait with each further failure. */
  readonly backoff: 'fixed' | 'exponential';
  /** No wait is longer than this. */
  readonly maxDelayMs: number;
}

/**
 * How long to wait after the `failedAttempts`-th attempt (1 or more) has failed, in ms, or null when there is no attempt
 * left. Depends on its arguments alone, so that whichever worker writes the retry comes to the same time.
 */
export function retryDelayMs(policy: RetryPolicy, failedAttempts: number): number | null {
  if (failedAttempts >= policy.attempts) return null;
  const doublings = policy.backoff === 'exponential' ? Math.max(0, failedAttempts - 1) : 0;
  // Beyond 2^1000 the factor would turn infinite (and 0 × Infinity is no number); the cap has long been reached by then.
  return Math.min(policy.delayMs * 2 ** Math.min(doublings, 1000), policy.maxDelayMs);
}
