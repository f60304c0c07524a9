/** How long it took until what a fault had stopped went on, by the commands' own evidence. */
import { median, percentile } from '../bench/statistics.js';
import { isExcused, isRobbed } from './checks/starts.js';
import type { Observations } from './checks/observations.js';
import type { ObservedAttempt } from './evidence.js';
import type { ChaosJob } from './jobs.js';

export interface Figures {
  /** Due times that were checked. */
  readonly dueTimes: number;
  /** Processes that commands started. */
  readonly attempts: number;
  /** From the SIGKILL of a worker (not of its watchdog) to the start of its `rerun` commands elsewhere, ms. */
  readonly recoveries: number;
  readonly medianRecoveryMs: number;
  readonly worstRecoveryMs: number;
  /** Commands that were started again although they had come to their end: their worker could not record it any more. */
  readonly repeats: number;
  /** Overlaps where a worker had gone together with its watchdog. */
  readonly excusedOverlaps: number;
  /** Overlaps after etcd had ended a lease before its time. */
  readonly robbedOverlaps: number;
  /** Start of the first attempt − due time, ms; without jobs that wait for a turn. */
  readonly medianLatenessMs: number;
  readonly p99LatenessMs: number;
  readonly worstLatenessMs: number;
  /** The longest time in which nothing was started anywhere, ms; jobs are due every second. */
  readonly longestSilenceMs: number;
}

function waitsByDesign({ overlap, limits }: ChaosJob): boolean {
  return overlap === 'queue' || overlap === 'replace' || limits !== undefined;
}

export function measure(seen: Observations, dueTimes: number): Figures {
  const { attempts, jobs, killedAtMs } = seen;
  const recoveries: number[] = [];
  const lateness: number[] = [];
  let repeats = 0;
  let longestSilenceMs = 0;
  const last = new Map<string, ObservedAttempt>();
  for (const [index, one] of attempts.entries()) {
    if (index > 0)
      longestSilenceMs = Math.max(longestSilenceMs, one.startedAtMs - attempts[index - 1]!.startedAtMs);
    const before = last.get(one.runId);
    last.set(one.runId, one);
    if (!before) {
      if (!waitsByDesign(jobs[one.job]!)) lateness.push(one.startedAtMs - one.dueMs);
      continue;
    }
    if (before.exitCode === 0) repeats += 1;
    const killedMs = killedAtMs.get(before.workerPid);
    const died = before.exitCode === null && !isExcused(seen, before);
    if (died && killedMs !== undefined && jobs[one.job]!.recovery === 'rerun' && one.startedAtMs > killedMs)
      recoveries.push(one.startedAtMs - killedMs);
  }
  const excusedOverlaps = attempts
    .flatMap(({ beside }) => beside)
    .filter((other) => isExcused(seen, other)).length;
  const robbedOverlaps = attempts.reduce(
    (sum, one) =>
      sum + one.beside.filter((other) => !isExcused(seen, other) && isRobbed(seen, one, other)).length,
    0,
  );
  return {
    ...{ dueTimes, attempts: attempts.length, repeats, excusedOverlaps, robbedOverlaps, longestSilenceMs },
    recoveries: recoveries.length,
    medianRecoveryMs: median(recoveries),
    worstRecoveryMs: percentile(recoveries, 1),
    medianLatenessMs: median(lateness),
    p99LatenessMs: percentile(lateness, 0.99),
    worstLatenessMs: percentile(lateness, 1),
  };
}
