/** Bounds on the runs of a job: no more than `maxRuns` of those that nobody touches, and none that begins after its `startDeadline`. */
import { parseDuration } from '../../../duration.js';
import { parseRunId } from '../../../etcd/keys.js';
import type { World } from '../world.js';
import type { CheckedHistory } from './history.js';
import type { Violation } from './violation.js';

export function checkBounds(world: World, history: CheckedHistory): Violation[] {
  const counted = [...world.scenario.steady].flatMap(([job, { maxRuns }]) =>
    typeof maxRuns === 'number' ? checkCount(world, history, job, maxRuns) : [],
  );
  return [...counted, ...lateStarts(world, history)];
}

function checkCount(world: World, history: CheckedHistory, job: string, maxRuns: number): Violation[] {
  const wrong = (text: string): Violation => ({ subject: job, text, atMs: null });
  const isOfSchedule = (runId: string): boolean => runId.startsWith(`${job}/`) && !runId.includes('+');
  const began = new Set(world.processes.map(({ runId }) => runId).filter(isOfSchedule));
  const kv = world.etcd.get(world.keys.count(job));
  const runs = kv === null ? 0 : (JSON.parse(kv.value.toString()) as { runs: number }).runs;
  const firings = world.etcd.range(world.keys.firingsOf(job)).kvs;
  const runIds = new Set([
    ...history.records.keys(),
    ...firings.map(({ key }) => key.slice(world.keys.firings.length)),
  ]);
  const claimed = [...runIds].filter((runId) => isOfSchedule(runId) && wasClaimed(history, runId));
  return [
    ...(began.size > maxRuns
      ? [wrong(`${began.size} of its due times were run, ${maxRuns} are allowed`)]
      : []),
    ...(claimed.length === runs
      ? []
      : [wrong(`${runs} of its runs were counted, ${claimed.length} were claimed`)]),
  ];
}

/** For good: what was given back before it began counts no more. */
function wasClaimed(history: CheckedHistory, runId: string): boolean {
  const record = history.records.get(runId);
  if (record === undefined) return (history.firing(runId)?.attempt ?? 0) > 0;
  const killedBeforeItBegan = record.outcome === 'killed' && record.fencingToken !== null;
  return record.attempts > 0 || killedBeforeItBegan;
}

function lateStarts(world: World, history: CheckedHistory): Violation[] {
  return world.processes.flatMap(
    ({ runId, attempt, fencingToken, dueMs, startedAtNodeMs, startedAtMs, worker }) => {
      const claim = history.claims.get(runId)?.find(({ revision }) => revision === fencingToken);
      const isManual = parseRunId(runId)?.suffix?.startsWith('manual') ?? false;
      if (claim === undefined || attempt > 1 || isManual) return [];
      const { startDeadline } = JSON.parse(claim.definition) as { startDeadline?: string };
      const lateMs = startedAtNodeMs - dueMs;
      if (startDeadline === undefined || lateMs <= parseDuration(startDeadline)!) return [];
      const text = `began on ${worker} ${lateMs} ms after its due time, ${startDeadline} are allowed`;
      return [{ subject: runId, text, atMs: startedAtMs }];
    },
  );
}
