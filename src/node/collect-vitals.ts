/** What a node and its view of the cluster are like, read whenever somebody asks for the metrics. */
import type { Clock } from '../clock.js';
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.js';
import type { ClusterView } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import type { Node } from './node.js';

type FiringCounts = Record<'planned' | 'waiting' | 'in_flight' | 'late', number>;
type WorkerCounts = Record<'active' | 'draining' | 'clock_off', number>;

/** Clocks differ, and a claim takes a moment: only beyond this is a firing called late. */
const LATE_AFTER_MS = 2_000;

/** From now on the metrics show this node. */
export function collectVitals(metrics: WorkerMetrics, node: Node, clock: Clock): void {
  const { view } = node;
  let leader = leaderOf(view);
  let changedAtMs = clock.monotonicMs();
  view.onChange((changes) => {
    // What comes through the other watch says nothing of this one.
    if (changes.workers.size === 0) changedAtMs = clock.monotonicMs();
    const now = changes.leader ? leaderOf(view) : null;
    if (now === null || now === leader) return;
    if (leader !== null) metrics.get('leaderChanges').inc();
    leader = now;
  });
  metrics.onCollect(() => {
    setVitals(metrics, node);
    metrics.get('viewAge').set((clock.monotonicMs() - changedAtMs) / 1_000);
    const plannedThroughMs = view.cursor.state === 'present' ? view.cursor.value.plannedThrough.due : null;
    metrics.setOrRemove(
      'plannedAhead',
      plannedThroughMs === null ? null : (plannedThroughMs - clock.now()) / 1_000,
    );
    metrics.get('jobs').set(view.jobs.size);
    collectCluster(metrics, node, clock.now());
  });
}

function setVitals(metrics: WorkerMetrics, node: Node): void {
  const { vitals } = node;
  metrics.get('isLeader').set(vitals.isLeader ? 1 : 0);
  metrics.get('held').set(vitals.held);
  metrics.get('running').set(vitals.running);
  metrics.get('load').set(vitals.load);
  metrics.get('capacity').set(vitals.capacity);
  metrics.get('trust').set(vitals.trustRemainingMs / 1_000);
  metrics.get('leaseTtl').set(vitals.leaseTtlMs / 1_000);
  metrics.get('clockOk').set(vitals.isClockRight ? 1 : 0);
  metrics.get('brokenJobs').set(vitals.brokenJobs);
  metrics.setOrRemove('clockSkew', vitals.clockSkewMs === null ? null : vitals.clockSkewMs / 1_000);
  for (const watch of ['schedule', 'workers'] as const)
    metrics.get('watchConnected').set({ watch }, vitals.connected[watch] ? 1 : 0);
}

/** All nodes see the same; one of them says it. */
function collectCluster(metrics: WorkerMetrics, node: Node, nowMs: number): void {
  const { view, vitals } = node;
  const { isLeader, unplaceableJobs } = vitals;
  metrics.get('firings').reset();
  metrics.get('workers').reset();
  metrics.setOrRemove('unplaceableJobs', isLeader ? unplaceableJobs.length : null);
  metrics.setOrRemove(
    'unplaceableFirings',
    isLeader
      ? unplaceableJobs.reduce((sum, name) => sum + (view.firingsByJob.get(name)?.size ?? 0), 0)
      : null,
  );
  if (!isLeader) return;
  for (const [state, count] of Object.entries(countFirings(view, nowMs)))
    metrics.get('firings').set({ state }, count);
  for (const [state, count] of Object.entries(countWorkers(view)))
    metrics.get('workers').set({ state }, count);
}

/** One that lost its worker counts as late: somebody has to start it again. */
export function countFirings(view: Pick<ClusterView, 'firings' | 'workers'>, nowMs: number): FiringCounts {
  const counts: FiringCounts = { planned: 0, waiting: 0, in_flight: 0, late: 0 };
  for (const firing of view.firings.values()) {
    const { node, expanded, waiting } = firing.value;
    if (node !== null) counts[view.workers.has(node) ? 'in_flight' : 'late'] += 1;
    else if (expanded !== null) continue;
    else if (waiting) counts.waiting += 1;
    else counts[nowMs > startTime(firing) + LATE_AFTER_MS ? 'late' : 'planned'] += 1;
  }
  return counts;
}

function countWorkers({ workers }: ClusterView): WorkerCounts {
  const counts: WorkerCounts = { active: 0, draining: 0, clock_off: 0 };
  for (const { value } of workers.values())
    counts[value.state === 'draining' ? 'draining' : value.skewed ? 'clock_off' : 'active'] += 1;
  return counts;
}

function leaderOf({ leader }: ClusterView): string | null {
  return leader.state === 'present' ? leader.value.nodeId : null;
}
