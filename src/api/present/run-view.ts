/** Firings and run records as the API shows them. */
import { workerNameOf } from '../../election/worker-record.js';
import { formatRunId } from '../../etcd/keys.js';
import { firingState } from '../../operations/firing-state.js';
import type { ClusterView, FiringEntry } from '../../view/cluster-view.js';
import { whyNobody } from '../../view/eligibility.js';
import { slotReason } from '../../view/slot-reason.js';
import type { RunItem } from '../reader/run-item.js';
import type { RunView } from '../schemas/runs.js';
import { isoText } from './text.js';

export function recordToRun(item: RunItem): RunView {
  const { id } = item;
  return {
    run: formatRunId(id),
    job: id.job,
    due: isoText(id.dueMs),
    suffix: id.suffix,
    manual: item.manual,
    state: 'ended',
    outcome: item.outcome,
    reason: item.reason,
    why: null,
    attempts: item.attempts,
    crashes: item.crashes,
    worker: item.worker,
    node: item.node,
    notBefore: null,
    startedAt: isoText(item.startedAt),
    endedAt: isoText(item.endedAt),
    durationMs: item.durationMs,
    latenessMs: item.latenessMs,
    exitCode: item.exitCode,
    signal: item.signal,
    recordedAt: isoText(item.recordedAt),
    hasOutput: item.hasOutput,
    killRequested: false,
  };
}

export function firingToRun(view: ClusterView, firing: FiringEntry, nowMs: number): RunView {
  const { id, runId, value } = firing;
  const state = firingState(firing, view.workers, nowMs);
  const { node, lastWorker } = value;
  return {
    run: runId,
    job: id.job,
    due: isoText(id.dueMs),
    suffix: id.suffix,
    manual: value.origin === 'manual',
    state,
    outcome: null,
    reason: null,
    why: state === 'late' || state === 'queued' ? whyItWaits(view, firing) : null,
    attempts: value.attempt,
    crashes: value.crashes,
    worker: node === null ? lastWorker : workerNameOf(node),
    node,
    notBefore: isoText(value.notBefore),
    startedAt: null,
    endedAt: null,
    durationMs: null,
    latenessMs: null,
    exitCode: null,
    signal: null,
    recordedAt: null,
    hasOutput: false,
    killRequested: view.kills.has(runId),
  };
}

/** What keeps a firing whose time has come from its turn; null where nothing is known that does. */
function whyItWaits(view: ClusterView, firing: FiringEntry): string | null {
  const entry = view.jobs.get(firing.id.job);
  if (!entry) return 'its job is gone';
  const { job } = entry;
  if (job === null) return 'the definition of its job is broken';
  const reason = slotReason(view, firing, job);
  if (reason !== null) return reason;
  return whyNobody(
    job,
    firing.value,
    [...view.workers.values()].map(({ value }) => value),
  );
}
