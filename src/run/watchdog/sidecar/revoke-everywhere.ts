import { Backoff } from '../../../backoff.js';
import { sleep, systemClock } from '../../../clock.js';
import type { EtcdConnection } from '../messages.js';
import { revokeLease, type RevokeAnswer } from './revoke-lease.js';

const ROUND_LIMIT_MS = 2_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;

/**
 * Revokes a lease through whichever endpoint answers first, round after round until `deadlineMs` (monotonic). All are
 * asked at the same time: a dead one then costs nothing, and revoking twice is revoking once. Never rejects.
 */
export async function revokeEverywhere(
  connection: EtcdConnection,
  leaseId: string,
  deadlineMs: number,
): Promise<{ readonly revoked: boolean; readonly problems: Record<string, string> }> {
  const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS);
  for (;;) {
    const answers = await askAll(connection, leaseId);
    const problems: Record<string, string> = {};
    for (const [endpoint, answer] of answers) {
      if (answer.kind === 'revoked') return { revoked: true, problems: {} };
      problems[endpoint] = answer.problem;
    }
    const hopeless = [...answers.values()].every(({ kind }) => kind === 'refused');
    if (hopeless || systemClock.monotonicMs() >= deadlineMs) return { revoked: false, problems };
    await sleep(systemClock, backoff.nextMs());
  }
}

/** Resolves with the first good answer, or when all have answered or the time of the round is over. */
async function askAll(
  connection: EtcdConnection,
  leaseId: string,
): Promise<ReadonlyMap<string, RevokeAnswer>> {
  const abort = new AbortController();
  const timer = systemClock.setTimer(ROUND_LIMIT_MS, () => abort.abort(new Error('no answer in time')));
  const answers = new Map<string, RevokeAnswer>();
  try {
    await new Promise<void>((resolve) => {
      for (const endpoint of connection.endpoints) {
        void revokeLease(connection, endpoint, leaseId, abort.signal).then((answer) => {
          answers.set(endpoint, answer);
          if (answer.kind === 'revoked' || answers.size === connection.endpoints.length) resolve();
        });
      }
    });
    return answers;
  } finally {
    timer.cancel();
    abort.abort(new Error('another endpoint has answered'));
  }
}
