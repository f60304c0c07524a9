import type { DoctorFacts } from '../facts.js';
import type { Check, Finding } from '../finding.js';

/** As the workers judge themselves, by default. */
const WRONG_MS = 1_000;
const DRIFTING_MS = 500;
const CLOCKS_TO_JUDGE = 3;
const REMEDY =
  'See whether the time service of the machine runs: "timedatectl", "chronyc tracking". The worker goes on by itself when its clock is right.';

export const clocks: Check = {
  name: 'clocks',
  good: 'the clocks of the workers agree',
  find: (facts) => {
    const findings: Finding[] = [];
    const skewed = facts.snapshot.workers.filter(({ value }) => value.skewed).map(({ nodeId }) => nodeId);
    if (skewed.length > 0)
      findings.push({
        severity: 'error',
        what: 'workers neither lead nor claim, because their clocks are off',
        where: skewed,
        remedy: REMEDY,
      });
    const off = judged(facts);
    const wrong = off.filter(({ nodeId, ms }) => Math.abs(ms) > DRIFTING_MS && !skewed.includes(nodeId));
    if (wrong.length > 0)
      findings.push({
        severity: wrong.some(({ ms }) => Math.abs(ms) > WRONG_MS) ? 'error' : 'warning',
        what: 'clocks of workers are off those of the others',
        where: wrong.map(({ nodeId, ms }) => `${nodeId} ${offText(ms)}`),
        remedy: REMEDY,
      });
    const own = -medianOf(facts.clocks.map(({ aheadMs }) => aheadMs));
    if (facts.clocks.length >= CLOCKS_TO_JUDGE && Math.abs(own) > WRONG_MS)
      findings.push({
        severity: 'advice',
        what: `the clock of this machine is ${offText(own)}, against the workers'`,
        where: [],
        remedy: 'What this command says of times is off by as much; mend the clock of this machine.',
      });
    return findings;
  },
};

/** Against the median of all; of two that differ nobody knows which one is right, so both are named. */
function judged({ clocks: heard }: DoctorFacts): { nodeId: string; ms: number }[] {
  if (heard.length < 2) return [];
  const medianMs = medianOf(heard.map(({ aheadMs }) => aheadMs));
  return heard.map(({ nodeId, aheadMs }) => ({
    nodeId,
    ms: heard.length === 2 ? 2 * (aheadMs - medianMs) : aheadMs - medianMs,
  }));
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function offText(ms: number): string {
  return `${(Math.abs(ms) / 1_000).toFixed(1)} s ${ms > 0 ? 'ahead' : 'behind'}`;
}
