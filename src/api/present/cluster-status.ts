/** The first page of the API: is the cluster well, what went wrong, what waits. */
import { databaseProblem } from '../../etcd/database-size.js';
import { FAILURES } from '../../history/outcomes.js';
import { clusterProblems } from '../../operations/cluster-problems.js';
import { firingState } from '../../operations/firing-state.js';
import { packageVersion } from '../../version.js';
import type { ClusterView, FiringEntry } from '../../view/cluster-view.js';
import { isActive } from '../../view/eligibility.js';
import { loadOf } from '../../view/load.js';
import { startTime } from '../../view/firing-record.js';
import type { EtcdStatus } from '../reader/cluster-reader.js';
import { stalest } from '../reader/freshness.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { RunItem } from '../reader/run-item.js';
import type { ClusterStatus } from '../schemas/cluster.js';
import { firingToRun, recordToRun } from './run-view.js';
import { isoText, pauseToJson } from './text.js';
import { leaderOf, oldestFirst } from './worker-view.js';

const SHOWN = 50;
/** What went wrong within this is news. */
const LATELY_MS = 24 * 3_600_000;

export interface StatusFacts {
  readonly live: LiveView;
  readonly feed: RunFeed;
  readonly etcd: EtcdStatus;
  readonly nowMs: number;
  readonly nodeId: string | null;
}

export function clusterStatus({ live, feed, etcd, nowMs, nodeId }: StatusFacts): ClusterStatus {
  const { view } = live;
  const workers = [...view.workers.values()];
  const active = workers.filter(({ value }) => isActive(value));
  const skewed = workers.filter(({ value }) => value.state === 'active' && value.skewed);
  const leader = leaderOf(view);
  const firings = countFirings(view, nowMs);
  const jobs = judgeJobs(live, nowMs, active.length > 0);
  const database = databaseProblem(etcd.members);
  const staleSinceMs = stalest(live.staleSinceMs, feed.staleSinceMs);
  const judged = clusterProblems({
    database,
    hasLeader: leader !== null,
    activeWorkers: active.length,
    skewed: skewed.map(({ nodeId: node }) => node),
    cannotRun: jobs.cannotRun.map(({ name }) => name),
    limitsWithoutSize: limitsWithoutSize(view, firings.due),
  });
  const toRuns = (entries: FiringEntry[]) =>
    entries
      .sort(oldestFirst)
      .slice(0, SHOWN)
      .map((firing) => firingToRun(view, firing, nowMs));
  return {
    at: isoText(nowMs),
    staleSince: staleSinceMs === null ? null : isoText(staleSinceMs),
    revision: view.revision,
    prefix: view.keys.prefix,
    answeredBy: { node: nodeId, version: packageVersion() },
    healthy: judged.healthy && etcd.problem === null,
    problems: [
      ...(etcd.problem === null
        ? []
        : [`etcd does not answer, and what is shown may be old: ${etcd.problem}`]),
      ...(etcd.problem === null && staleSinceMs !== null
        ? [`this node does not follow etcd, and what is shown is as of ${isoText(staleSinceMs)}`]
        : []),
      ...judged.problems,
    ],
    leader,
    workers: {
      active: active.length,
      draining: workers.filter(({ value }) => value.state === 'draining').length,
      skewed: skewed.length,
      load: workers.reduce((sum, { nodeId: node }) => sum + loadOf(view, node), 0),
      capacity: workers.reduce((sum, { value }) => sum + value.capacity, 0),
    },
    jobs: { ...jobs.counts, cannotRun: jobs.cannotRun.length },
    firings: firings.counts,
    late: toRuns(firings.late),
    queued: toRuns(firings.queued),
    cannotRun: jobs.cannotRun.slice(0, SHOWN),
    broken: jobs.broken.slice(0, SHOWN),
    paused: jobs.paused.slice(0, SHOWN),
    failedLately: failedLately(feed, nowMs),
    plannedThrough: view.cursor.state === 'present' ? isoText(view.cursor.value.plannedThrough.due) : null,
    etcd: {
      members: etcd.members.map((member) => ({
        endpoint: member.endpoint,
        version: member.version,
        isLeader: member.isLeader,
        dbSizeBytes: member.dbSizeBytes,
        dbInUseBytes: member.dbInUseBytes,
        quotaBytes: member.quotaBytes,
        isFull: member.isFull,
      })),
      problem: etcd.problem ?? database?.message ?? null,
    },
  };
}

/** It ran, or should have, and did not end well. */
export function isFailure({ outcome }: RunItem): boolean {
  return outcome === null || FAILURES.includes(outcome);
}

function failedLately(feed: RunFeed, nowMs: number): ClusterStatus['failedLately'] {
  const fromMs = nowMs - LATELY_MS;
  const runs: RunItem[] = [];
  let count = 0;
  for (const item of feed.shelf.newest()) {
    if (item.id.dueMs < fromMs) break;
    if (!isFailure(item)) continue;
    count += 1;
    if (runs.length < SHOWN) runs.push(item);
  }
  const complete = feed.knowsSince(fromMs);
  return { from: isoText(fromMs), count, runs: runs.map(recordToRun), complete };
}

function countFirings(view: ClusterView, nowMs: number) {
  const counts = { planned: 0, inFlight: 0, late: 0, waiting: 0, queued: 0 };
  const late: FiringEntry[] = [];
  const queued: FiringEntry[] = [];
  /** Those that nobody runs and whose time has come. */
  const due: FiringEntry[] = [];
  for (const firing of view.firings.values()) {
    const state = firingState(firing, view.workers, nowMs);
    if (state === 'planned' || state === 'waiting') counts[state] += 1;
    else if (state === 'claimed' || state === 'running') counts.inFlight += 1;
    else if (state === 'queued') {
      counts.queued += 1;
      queued.push(firing);
    } else if (state !== 'expanded') {
      // One that lost its worker counts as late: somebody has to start it again.
      counts.late += 1;
      late.push(firing);
    }
    if (state === 'queued' || state === 'late' || (state === 'planned' && startTime(firing) <= nowMs))
      due.push(firing);
  }
  return { counts, late, queued, due };
}

function limitsWithoutSize(view: ClusterView, due: readonly FiringEntry[]): string[] {
  const names = new Set<string>();
  for (const { id } of due)
    for (const limit of view.jobs.get(id.job)?.job?.limits ?? [])
      if ((view.limits.get(limit)?.size ?? null) === null) names.add(limit);
  return [...names].sort();
}

function judgeJobs({ jobs }: LiveView, nowMs: number, hasWorkers: boolean) {
  const counts = { total: 0, ok: 0, paused: 0, broken: 0, done: 0 };
  const cannotRun: ClusterStatus['cannotRun'] = [];
  const broken: ClusterStatus['broken'] = [];
  const paused: ClusterStatus['paused'] = [];
  for (const name of jobs.names) {
    const digest = jobs.get(name);
    if (!digest) continue;
    const state = jobs.state(digest, nowMs);
    counts.total += 1;
    counts[state] += 1;
    if (state === 'broken') broken.push({ name, reason: digest.problem ?? '' });
    const pause = jobs.pause(digest, nowMs);
    if (state === 'paused' && pause) paused.push({ name, pause: pauseToJson(pause)! });
    // Without any worker that is the trouble of all, and said once.
    const reason = state === 'ok' && hasWorkers ? jobs.cannotRun(digest) : null;
    if (reason !== null) cannotRun.push({ name, reason });
  }
  return { counts, cannotRun, broken, paused };
}
