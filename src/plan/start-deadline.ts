/**
 * `startDeadline`: how late the first attempt of a run may start. Workers leave what is past it alone, and the leader records
 * it as missed, with what it sees in the way; a worker that already holds the claim records it itself.
 */
import { slotGroup } from '../etcd/keys.js';
import type { Job } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import type { ClusterView, FiringEntry } from '../view/cluster-view.js';
import { isActive, unfitness, whyNobody } from '../view/eligibility.js';
import { loadOf } from '../view/load.js';
import { holdersOf } from '../view/turn-order.js';
import { jitteredStart } from './jitter.js';

/** The last moment at which the run of a due time may start, in ms since the epoch; null: there is none. */
export function lastStart(
  job: Pick<Job, 'name' | 'jitterMs' | 'startDeadlineMs'>,
  schedule: () => Schedule | null,
  dueMs: number,
): number | null {
  if (job.startDeadlineMs === null) return null;
  const by = job.jitterMs === 0 ? null : schedule();
  return ((by && jitteredStart(job, by, dueMs)) ?? dueMs) + job.startDeadlineMs;
}

/** It belongs to the schedule, nobody holds it and nobody ever did, and its last moment to start is past. */
export function isTooLate(view: ClusterView, { id, value }: FiringEntry, nowMs: number): boolean {
  const isOpen = value.origin === 'schedule' && value.attempt === 0 && value.node === null;
  if (!isOpen || id.dueMs >= nowMs) return false;
  const entry = view.jobs.get(id.job);
  const lastMs = entry?.job ? lastStart(entry.job, () => entry.schedule, id.dueMs) : null;
  return lastMs !== null && nowMs > lastMs;
}

/** What keeps the runs of the job from starting now, such as `no worker has room`. */
export function whyNotStarted(view: ClusterView, job: Job): string {
  const workers = [...view.workers.values()].map(({ nodeId, value }) => ({ nodeId, ...value }));
  const nobody = whyNobody(job, null, workers);
  if (nobody !== null) return nobody;
  const firings = [...(view.firingsByJob.get(job.name)?.values() ?? [])];
  const going = firings.filter(({ id, value }) => value.node !== null && slotGroup(id) === job.name);
  if (job.maxConcurrent !== null && going.length >= job.maxConcurrent)
    return `${going[0]!.runId}${going.length > 1 ? ` and ${going.length - 1} more` : ''} still went on`;
  for (const name of job.limits) {
    const size = view.limits.get(name)?.size ?? 0;
    if (holdersOf(view, name).length >= size) return `the limit ${name} of ${size} was full`;
  }
  const fitting = workers.filter((worker) => isActive(worker) && unfitness(job, worker) === null);
  const hasRoom = fitting.some(({ nodeId, capacity }) => capacity - loadOf(view, nodeId) >= job.weight);
  return hasRoom ? 'nobody started it' : 'no worker had room';
}
