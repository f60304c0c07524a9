/** What the commands saw: never early, no attempt twice, never beside another, `abandon` at most once. */
import { NODE_DEFAULTS } from '../../src/node/options.js';
import type { ObservedAttempt } from '../evidence.js';
import type { Observations, Violation } from './observations.js';

/** Clocks that are off by less than this are not found out; the time that messages take adds to it. */
const TOLERATED_SKEW_MS = NODE_DEFAULTS.maxClockSkewMs + 500;

/** Before and after the next process starts: etcd may be out of reach meanwhile. */
const HEARD_WITHIN_MS = 15_000;

export function checkStarts(seen: Observations): Violation[] {
  return [...early(seen), ...overlaps(seen), ...repeated(seen)];
}

/** Due times and true time: nobody but a node whose clock was moved may differ from it at all. */
function early({ attempts, withMovedClock }: Observations): Violation[] {
  return attempts.flatMap((one) => {
    const toleratedMs = withMovedClock.has(one.workerPid) ? TOLERATED_SKEW_MS : 0;
    const earlyMs = one.dueMs - one.startedAtMs;
    return earlyMs > toleratedMs
      ? [{ broken: 'early', subject: one.runId, text: `started ${Math.ceil(earlyMs)} ms early` }]
      : [];
  });
}

/** Worker and watchdog that go together leave nobody who could end their commands. */
export function isExcused({ forsaken }: Observations, { workerPid }: { workerPid: number }): boolean {
  return forsaken.has(workerPid);
}

/**
 * Whether the other's claim was taken away by etcd itself: a member that led, stood still and goes on can revoke leases
 * that its successor has renewed (etcd's issue 15247, mended in 2024; 3.4.23 has it).
 */
export function isRobbed(
  { robbedAtMs }: Observations,
  { startedAtMs }: ObservedAttempt,
  { workerPid }: { workerPid: number },
): boolean {
  const heardAtMs = robbedAtMs.get(workerPid) ?? -Infinity;
  return heardAtMs > startedAtMs - HEARD_WITHIN_MS && heardAtMs < startedAtMs + HEARD_WITHIN_MS;
}

function overlaps(seen: Observations): Violation[] {
  return seen.attempts.flatMap((one) =>
    one.beside
      .filter((other) => !isExcused(seen, other) && !isRobbed(seen, one, other))
      .map((other) => ({
        broken: 'overlap',
        subject: one.runId,
        text: `attempt ${one.attempt} ran beside attempt ${other.attempt} of ${other.runId}, of worker process ${other.workerPid}`,
      })),
  );
}

function repeated({ attempts, jobs }: Observations): Violation[] {
  const last = new Map<string, ObservedAttempt>();
  const violations: Violation[] = [];
  for (const one of attempts) {
    const before = last.get(one.runId);
    last.set(one.runId, one);
    if (!before) continue;
    const wrong = (text: string): void =>
      void violations.push({ broken: 'duplicate', subject: one.runId, text });
    if (one.attempt <= before.attempt) wrong(`attempt ${one.attempt} started after ${before.attempt}`);
    if (one.fencingToken <= before.fencingToken)
      wrong(`attempt ${one.attempt} has token ${one.fencingToken} after ${before.fencingToken}`);
    if (jobs[one.job]?.recovery === 'abandon' && (before.exitCode ?? 0) === 0)
      wrong(
        `attempt ${one.attempt} of an abandon job, though ${before.attempt} ${before.exitCode === 0 ? 'succeeded' : 'did not end'}`,
      );
  }
  return violations;
}
