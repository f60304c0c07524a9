/** etcron's records: one account for each due time, and none that the commands contradict. */
import { formatRunId, parseRunId } from '../../src/etcd/keys.js';
import type { RunRecord } from '../../src/history/run-record.js';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { parseSchedule } from '../../src/schedule/index.js';
import type { ObservedAttempt } from '../evidence.js';
import type { ChaosJob } from '../jobs.js';
import type { Observations, Violation } from './observations.js';

export function checkAccounting(seen: Observations): Violation[] {
  return [
    ...Object.keys(seen.jobs).flatMap((job) => unaccounted(seen, job)),
    ...stuck(seen),
    ...contradicted(seen),
  ];
}

/** The due times of a job in the time that is checked. */
export function dueTimes({ jobs, fromMs, throughMs }: Observations, job: string): number[] {
  const { schedule, timezone } = jobs[job]!;
  const parsed = parseSchedule(schedule, timezone ?? 'UTC');
  const found: number[] = [];
  for (let due = parsed.next(fromMs); due !== null && due <= throughMs; due = parsed.next(due))
    found.push(due);
  return found;
}

function unaccounted(seen: Observations, job: string): Violation[] {
  const ranges = [...seen.records]
    .filter(([runId]) => runId.startsWith(`${job}/`))
    .flatMap(([, { missed }]) => missed ?? []);
  return dueTimes(seen, job).flatMap((dueMs) => {
    const runId = formatRunId({ job, dueMs, suffix: null });
    const own = seen.records.get(runId);
    // A range may span a due time that has a record of its own; then that one counts.
    const accounts =
      own && own.missed === null
        ? 1
        : ranges.filter(({ from, through }) => from <= dueMs && dueMs <= through).length;
    // What is left is told as stuck.
    if (accounts === 1 || seen.firings.includes(runId)) return [];
    return [{ broken: 'lost', subject: runId, text: `is accounted for ${accounts} times` }];
  });
}

function stuck({ firings, throughMs }: Observations): Violation[] {
  return firings
    .filter((runId) => (parseRunId(runId)?.dueMs ?? 0) <= throughMs)
    .map((runId) => ({ broken: 'stuck', subject: runId, text: 'had not ended when the run was over' }));
}

function contradicted(seen: Observations): Violation[] {
  const violations: Violation[] = [];
  const byRun = new Map<string, ObservedAttempt[]>();
  for (const one of seen.attempts) byRun.set(one.runId, [...(byRun.get(one.runId) ?? []), one]);
  for (const [runId, record] of seen.records) {
    const id = parseRunId(runId);
    const job = seen.jobs[id?.job ?? ''];
    // The record for all workers sums up those of each.
    if (job?.everywhere && id?.suffix === null) continue;
    const text = contradiction(record, byRun.get(runId) ?? [], job);
    if (text !== null) violations.push({ broken: 'false record', subject: runId, text });
  }
  for (const runId of byRun.keys()) {
    if (!seen.records.has(runId) && !seen.firings.includes(runId))
      violations.push({ broken: 'lost', subject: runId, text: 'ran, and nothing tells of it' });
  }
  return violations;
}

/** What the record says that the commands know better; null when they agree. */
function contradiction(
  record: RunRecord,
  attempts: readonly ObservedAttempt[],
  job: ChaosJob | undefined,
): string | null {
  const abandon = job?.recovery === 'abandon';
  const { outcome, exitCode, fencingToken, crashes } = record;
  const last = attempts.find((one) => String(one.fencingToken) === fencingToken);
  if (attempts.length > record.attempts)
    return `says ${record.attempts} attempts, and ${attempts.length} were started`;
  if (crashes > NODE_DEFAULTS.maxCrashes) return `says ${crashes} crashes`;
  switch (outcome) {
    case 'succeeded':
    case 'failed':
      // A command that is killed by a signal writes nothing more.
      if (!last) return `says ${outcome}, and its last attempt was never started`;
      if (outcome === 'succeeded' ? last.exitCode !== 0 : exitCode !== null && last.exitCode !== exitCode)
        return `says ${outcome} with ${exitCode}, and the command ended with ${last.exitCode}`;
      return null;
    case 'timed_out':
      return last && last.exitCode === null ? null : 'says timed_out, and the command came to its end';
    case 'skipped':
    case 'missed':
      return attempts.length > 0 ? `says ${outcome}, and it ran` : null;
    case 'lost':
      // The one worker that it was for did not come back.
      return abandon || job?.everywhere || crashes >= NODE_DEFAULTS.maxCrashes
        ? null
        : `says lost after ${crashes} crashes`;
    case 'killed':
      if (job?.overlap === 'replace' && record.reason?.startsWith('replaced by ')) return null;
      // An orderly stop does not leave what may not run again to another worker.
      return abandon && record.reason?.startsWith('its worker was stopped')
        ? null
        : `says killed (${record.reason}), and nobody asked for it`;
    case 'cancelled':
      return 'says cancelled, and nobody asked for it';
  }
}
