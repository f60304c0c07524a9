import { relativeText, timeText } from '../../../time-text.js';
import { pauseAt } from '../../../jobs/index.js';
import { stateText } from '../../../operations/job-state.js';
import type { DoctorFacts } from '../facts.js';
import type { Check, Finding } from '../finding.js';

const YEAR_MS = 366 * 86_400_000;

/** What is there and does not run: that is valid, and often forgotten. */
export const idleJobs: Check = {
  name: 'idle-jobs',
  good: 'every job that is not paused will be due',
  find: (facts) => {
    const { done, far, paused } = sorted(facts);
    const findings: Finding[] = [];
    if (done.length > 0)
      findings.push({
        severity: 'advice',
        what: 'jobs are never due again: their schedule or their endAt is over, or they had all their runs',
        where: done,
        remedy:
          'Delete them ("etcron jobs delete <job>"), or give them a removeAfter, or a schedule that goes on.',
      });
    if (far.length > 0)
      findings.push({
        severity: 'advice',
        what: 'jobs are not due within a year',
        where: far,
        remedy: 'See whether the schedule means what it should: "etcron next <job>".',
      });
    if (paused.length > 0)
      findings.push({
        severity: 'advice',
        what: 'jobs are paused until somebody resumes them',
        where: paused,
        remedy: 'Resume them ("etcron jobs resume <job>"), or delete them.',
      });
    return findings;
  },
};

function sorted({ snapshot, nowMs }: DoctorFacts): Record<'done' | 'far' | 'paused', string[]> {
  const found: Record<'done' | 'far' | 'paused', string[]> = { done: [], far: [], paused: [] };
  for (const entry of snapshot.jobs.values()) {
    if (entry.job === null) continue;
    const pause = pauseAt(entry.job, nowMs);
    if (pause !== null) {
      if (pause.untilMs === null)
        found.paused.push(entry.name + (pause.reason === null ? '' : `: ${pause.reason}`));
      continue;
    }
    const next = entry.schedule?.next(nowMs) ?? null;
    if (next === null) found.done.push(`${entry.name}: ${stateText(entry, nowMs)}`);
    else if (next - nowMs > YEAR_MS)
      found.far.push(`${entry.name}: ${timeText(next)}, ${relativeText(next, nowMs)}`);
  }
  return found;
}
