/** The state of a cluster in numbers, and whether it can work. */
import type { LeaderRecord } from '../../election/leader-record.js';
import { databaseProblem } from '../../etcd/database-size.js';
import type { EndpointStatus } from '../../etcd/store.js';
import { fitsAnybody, whyNobody } from '../../view/eligibility.js';
import { comesFirst } from '../../view/turn-order.js';
import { clusterProblems } from '../../operations/cluster-problems.js';
import { describeFiring, firingState } from '../../operations/firing-state.js';
import { limitUsage } from '../../operations/limit-usage.js';
import { drainedWorkers, loadOf, type DrainedWorker } from './show-workers.js';
import { jobState, stateText } from '../../operations/job-state.js';
import { reasonToWait, type Snapshot } from '../../operations/snapshot.js';

/** So many are named. */
const QUEUED_COUNT = 10;

export interface Summary {
  /** Somebody leads, there is an active worker, and etcd takes writes. */
  readonly healthy: boolean;
  /** Why not. */
  readonly problems: readonly string[];
  readonly leader: LeaderRecord | null;
  readonly workers: {
    readonly active: number;
    readonly draining: number;
    /** Their clocks are off: they take nothing. */
    readonly skewed: number;
    readonly load: number;
    readonly capacity: number;
  };
  /** Workers that somebody asked to drain, by name. */
  readonly drained: readonly DrainedWorker[];
  /** The paused ones, with until when and why, by name. */
  readonly paused: readonly { readonly name: string; readonly state: string }[];
  /** Those that no worker can run, with the reason, by name. */
  readonly unplaceable: readonly { readonly name: string; readonly reason: string }[];
  readonly jobs: {
    readonly ok: number;
    readonly paused: number;
    readonly broken: number;
    readonly done: number;
  };
  readonly firings: Readonly<Record<'planned' | 'inFlight' | 'late' | 'waiting' | 'queued', number>>;
  /** The oldest of those that are due and wait for their turn, with the reason. */
  readonly queued: readonly { readonly run: string; readonly reason: string }[];
  readonly plannedThroughMs: number | null;
}

export function summarize(snapshot: Snapshot, nowMs: number, endpoints: readonly EndpointStatus[]): Summary {
  const { leader, workers } = snapshot;
  const draining = workers.filter(({ value }) => value.state === 'draining');
  const skewed = workers.filter(({ value }) => value.state === 'active' && value.skewed);
  const active = workers.filter(({ value }) => value.state === 'active' && !value.skewed);
  const live = new Set(workers.map(({ nodeId }) => nodeId));
  const unplaceable = active.length === 0 ? [] : findUnplaceable(snapshot, nowMs);
  const { healthy, problems } = clusterProblems({
    database: databaseProblem(endpoints),
    hasLeader: leader !== null,
    activeWorkers: active.length,
    skewed: skewed.map(({ nodeId }) => nodeId),
    cannotRun: unplaceable.map(({ name }) => name),
    limitsWithoutSize: limitsWithoutSize(snapshot, nowMs),
  });
  return {
    healthy,
    problems,
    unplaceable,
    leader,
    workers: {
      active: active.length,
      draining: draining.length,
      skewed: skewed.length,
      load: workers.reduce((sum, { nodeId }) => sum + loadOf(snapshot, nodeId), 0),
      capacity: workers.reduce((sum, { value }) => sum + value.capacity, 0),
    },
    drained: drainedWorkers(snapshot, nowMs),
    paused: [...snapshot.jobs.values()]
      .filter((entry) => jobState(entry, nowMs) === 'paused')
      .map((entry) => ({ name: entry.name, state: stateText(entry, nowMs) })),
    jobs: countJobs(snapshot, nowMs),
    firings: countFirings(snapshot, live, nowMs),
    queued: oldestQueued(snapshot, live, nowMs),
    plannedThroughMs: snapshot.cursor?.plannedThrough.due ?? null,
  };
}

function findUnplaceable({ jobs, workers }: Snapshot, nowMs: number): Summary['unplaceable'] {
  const records = workers.map(({ value }) => value);
  return [...jobs.values()].flatMap((entry) => {
    const { name, job } = entry;
    if (job === null || fitsAnybody(job, records) || jobState(entry, nowMs) !== 'ok') return [];
    const reason = whyNobody(job, null, records);
    return reason === null ? [] : [{ name, reason }];
  });
}

function countJobs({ jobs }: Snapshot, nowMs: number): Summary['jobs'] {
  const counts = { ok: 0, paused: 0, broken: 0, done: 0 };
  for (const entry of jobs.values()) counts[jobState(entry, nowMs)] += 1;
  return counts;
}

function oldestQueued(snapshot: Snapshot, live: ReadonlySet<string>, nowMs: number): Summary['queued'] {
  return snapshot.firings
    .filter((firing) => firingState(firing, live, nowMs) === 'queued')
    .sort((a, b) => (comesFirst(a, b) ? -1 : 1))
    .slice(0, QUEUED_COUNT)
    .map((firing) => {
      const state = describeFiring(firing, 'queued', nowMs, reasonToWait(snapshot, firing));
      return { run: firing.runId, reason: state };
    });
}

/** Of limits that something waits for, which will never let it run. */
function limitsWithoutSize(snapshot: Snapshot, nowMs: number): string[] {
  return limitUsage(snapshot, nowMs)
    .filter(({ size, waiting }) => size === null && waiting > 0)
    .map(({ name }) => name);
}

/** One that lost its worker counts as late: somebody has to start it again. */
function countFirings({ firings }: Snapshot, live: ReadonlySet<string>, nowMs: number): Summary['firings'] {
  const counts = { planned: 0, inFlight: 0, late: 0, waiting: 0, queued: 0 };
  for (const firing of firings) {
    switch (firingState(firing, live, nowMs)) {
      case 'planned':
        counts.planned += 1;
        break;
      case 'queued':
        counts.queued += 1;
        break;
      case 'expanded':
        break;
      case 'claimed':
      case 'running':
        counts.inFlight += 1;
        break;
      case 'late':
      case 'orphaned':
        counts.late += 1;
        break;
      case 'waiting':
        counts.waiting += 1;
    }
  }
  return counts;
}
