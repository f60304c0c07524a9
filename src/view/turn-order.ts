/** Who holds the slots of jobs and limits, and whose turn it is among those that wait for them. */
import { slotGroup } from '../etcd/keys.js';
import type { FiringEntry } from './cluster-view.js';
import { startTime } from './firing-record.js';
import type { LimitEntry } from './limit-record.js';

/** What of a view decides. */
export interface SlotView {
  readonly workers: ReadonlyMap<string, unknown>;
  readonly firingsByJob: ReadonlyMap<string, ReadonlyMap<string, FiringEntry>>;
  readonly holdersByLimit: ReadonlyMap<string, ReadonlyMap<string, FiringEntry>>;
  readonly limits: ReadonlyMap<string, LimitEntry>;
}

/** A living worker has it. */
export function isInFlight({ workers }: Pick<SlotView, 'workers'>, { value }: FiringEntry): boolean {
  return value.node !== null && workers.has(value.node);
}

/** In the queue of a job: by due time. */
export function isOlder(a: FiringEntry, b: FiringEntry): boolean {
  return a.id.dueMs !== b.id.dueMs ? a.id.dueMs < b.id.dueMs : a.runId < b.runId;
}

/** In the line of a limit: by the time from which it may run, since jobs differ in jitter and retries. */
export function comesFirst(a: FiringEntry, b: FiringEntry): boolean {
  const [aMs, bMs] = [startTime(a), startTime(b)];
  return aMs !== bMs ? aMs < bMs : isOlder(a, b);
}

/** The other firings that take slots of the same job (and, where it runs everywhere, of the same worker). */
export function besides(view: Pick<SlotView, 'firingsByJob'>, firing: FiringEntry): FiringEntry[] {
  const group = slotGroup(firing.id);
  const ofJob = view.firingsByJob.get(firing.id.job)?.values() ?? [];
  return [...ofJob].filter(
    ({ id, runId, value }) => runId !== firing.runId && value.expanded === null && slotGroup(id) === group,
  );
}

/** The runs under a limit, in no particular order. */
export function holdersOf(view: SlotView, limit: string): FiringEntry[] {
  const holders = view.holdersByLimit.get(limit)?.values() ?? [];
  return [...holders].filter((holder) => isInFlight(view, holder));
}

/** A due time that has waited since it came, and has not begun. */
export function isWaiting({ value }: FiringEntry): boolean {
  return value.waiting && value.node === null && value.attempt === 0;
}
