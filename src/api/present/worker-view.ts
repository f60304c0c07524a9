import type { ClusterView, FiringEntry, WorkerEntry } from '../../view/cluster-view.js';
import { loadOf } from '../../view/load.js';
import type { LeaderView, WorkerView } from '../schemas/cluster.js';
import { firingToRun } from './run-view.js';
import { isoText } from './text.js';

const RUNS_SHOWN = 50;

/** Who leads; null when nobody does. */
export function leaderOf({ leader }: ClusterView): LeaderView | null {
  if (leader.state !== 'present' || leader.leaseId === null) return null;
  const { nodeId, name, since } = leader.value;
  return { node: nodeId, name, since: isoText(since) };
}

export function workerToJson(view: ClusterView, { nodeId, value }: WorkerEntry, nowMs: number): WorkerView {
  const held = [...(view.firingsByNode.get(nodeId)?.values() ?? [])];
  const drain = view.drains.get(value.name)?.value;
  return {
    node: nodeId,
    name: value.name,
    host: value.host,
    pid: value.pid,
    version: value.version,
    state: value.state,
    skewed: value.skewed,
    leader: leaderOf(view)?.node === nodeId,
    capacity: value.capacity,
    load: loadOf(view, nodeId),
    running: held.length,
    labels: { ...value.labels },
    handlers: [...value.handlers],
    since: isoText(value.startedAt),
    clock: isoText(value.clock),
    api: value.api,
    drain: drain ? { by: drain.by, reason: drain.reason, at: isoText(drain.at) } : null,
    runs: held
      .sort(oldestFirst)
      .slice(0, RUNS_SHOWN)
      .map((firing) => firingToRun(view, firing, nowMs)),
  };
}

export function oldestFirst(a: FiringEntry, b: FiringEntry): number {
  return a.id.dueMs - b.id.dueMs || (a.runId < b.runId ? -1 : 1);
}
