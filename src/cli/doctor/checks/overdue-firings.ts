import { firingState, describeFiring, type FiringState } from '../../../operations/firing-state.js';
import { reasonToWait } from '../../../operations/snapshot.js';
import { startTime } from '../../../view/firing-record.js';
import { whyNobody } from '../../../view/eligibility.js';
import type { DoctorFacts } from '../facts.js';
import type { Check, Finding } from '../finding.js';

/** After this long the misfire policy has judged a firing, unless something is wrong. */
const LONG_MS = 15_000;
const LONG_WAIT_MS = 3_600_000;

export const overdueFirings: Check = {
  name: 'overdue-firings',
  good: 'nothing that is due waits for a worker',
  find: (facts) => {
    const findings: Finding[] = [];
    const late = firingsIn(facts, ['late', 'orphaned'], LONG_MS);
    if (late.length > 0)
      findings.push({
        severity: 'error',
        what: 'runs are due, and nobody has claimed them',
        where: late,
        remedy:
          'See "etcron status", and "etcron workers list" for whether somebody has room. Then look into the log of the leader and of a worker.',
      });
    const queued = firingsIn(facts, ['queued'], LONG_WAIT_MS);
    if (queued.length > 0)
      findings.push({
        severity: 'warning',
        what: 'runs have waited for their turn for more than an hour',
        where: queued,
        remedy:
          'See what they wait for: a run that hangs ("etcron runs kill <run>"), or a limit or maxConcurrent that is too small.',
      });
    return findings;
  },
};

function firingsIn(
  { snapshot, nowMs }: DoctorFacts,
  states: readonly FiringState[],
  longerThanMs: number,
): string[] {
  const live = new Set(snapshot.workers.map(({ nodeId }) => nodeId));
  const records = snapshot.workers.map(({ value }) => value);
  return snapshot.firings.flatMap((firing) => {
    const state = firingState(firing, live, nowMs);
    if (!states.includes(state) || nowMs - startTime(firing) <= longerThanMs) return [];
    const job = snapshot.jobs.get(firing.id.job)?.job;
    const why = (job && whyNobody(job, firing.value, records)) ?? reasonToWait(snapshot, firing);
    return [`${firing.runId}: ${describeFiring(firing, state, nowMs, why)}`];
  });
}
