import { createHash } from 'node:crypto';
import type { RetryPolicy } from '../jobs/index.js';

/** How an attempt failed, as far as it decides about the next one. */
export interface FailedAttempt {
  readonly runId: string;
  /** How many attempts of the run have failed with this one: 1 or more. */
  readonly failedAttempts: number;
  /** null where it did not exit by itself: it timed out, was ended by a signal, could not start or is no command. */
  readonly exitCode: number | null;
}

type DelayPolicy = Omit<RetryPolicy, 'avoidLastWorker'>;

/**
 * How long to wait before the next attempt, in ms: `min(delay × 2^(n − 1), maxDelay)` after the n-th failure, and up to
 * `jitter` more. null when there is none. Depends on its arguments alone, so that whichever worker writes the retry comes to the
 * same time.
 */
export function retryDelayMs(policy: DelayPolicy, failed: FailedAttempt): number | null {
  const { attempts, exitCodes, backoff, delayMs, maxDelayMs } = policy;
  const { failedAttempts, exitCode } = failed;
  if (failedAttempts >= attempts) return null;
  if (exitCodes !== null && (exitCode === null || !exitCodes.includes(exitCode))) return null;
  const doublings = backoff === 'exponential' ? Math.max(0, failedAttempts - 1) : 0;
  // Beyond 2^1000 the factor would turn infinite (and 0 × Infinity is no number); the cap has long been reached by then.
  const waitMs = Math.min(delayMs * 2 ** Math.min(doublings, 1000), maxDelayMs);
  return waitMs + jitter(policy.jitterMs, failed);
}

/** A part of `jitterMs` that is hashed from the run and the attempt: its own for each. */
function jitter(jitterMs: number, { runId, failedAttempts }: FailedAttempt): number {
  if (jitterMs === 0) return 0;
  const hash = createHash('sha256').update(`retry\n${runId}\n${failedAttempts}`).digest().readUIntBE(0, 6);
  return hash % jitterMs;
}
