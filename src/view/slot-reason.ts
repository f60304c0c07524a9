/** Why a firing whose time has come waits for its turn, for people: a slot of its job, or of a limit, is not free. */
import type { Job } from '../jobs/index.js';
import type { FiringEntry } from './cluster-view.js';
import { besides, holdersOf, isInFlight, isOlder, type SlotView } from './turn-order.js';

/** Such as `limit db is full` or `overlap: queue, 3 before it`; null when nothing of the kind stands in its way. */
export function slotReason(view: SlotView, firing: FiringEntry, job: Job): string | null {
  if (isInFlight(view, firing)) return null;
  return ownReason(view, firing, job) ?? limitReason(view, job);
}

function ownReason(view: SlotView, firing: FiringEntry, job: Job): string | null {
  const { overlap, maxConcurrent } = job;
  if (maxConcurrent === null) return null;
  const others = besides(view, firing);
  const running = others.filter((other) => other.value.slot !== null && isInFlight(view, other));
  if (running.length < maxConcurrent) return null;
  const before = others.filter((other) => other.value.waiting && isOlder(other, firing)).length;
  if (overlap.policy === 'queue') return `overlap: queue, ${before} before it`;
  const [first] = running;
  return `${first!.runId}${running.length > 1 ? ` and ${running.length - 1} more` : ''} still running`;
}

function limitReason(view: SlotView, job: Job): string | null {
  for (const name of job.limits) {
    const size = view.limits.get(name)?.size ?? null;
    if (size === null) return `limit ${name} has no size`;
    const held = holdersOf(view, name).length;
    if (held >= size) return size === 0 ? `limit ${name} is 0` : `limit ${name} is full`;
  }
  return null;
}
