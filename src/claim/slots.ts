/**
 * The slots of a job: how many of its runs may go on at once, and what becomes of a firing that finds none free. Judged
 * from the view and from the claims that this node has under way; only the claim's transaction decides.
 *
 * Overlap is judged once per firing, when its first attempt is due (a run that ends in the last half second is no
 * overlap). What was promised waits for a free slot instead: later attempts, and the late runs that a misfire policy
 * chose, these in the order of their due times.
 */
import { slotGroup, type FiringId } from '../etcd/keys.js';
import type { Job } from '../jobs/index.js';
import type { ClusterView, FiringEntry } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';

/** What is to be done with a firing now. */
export type Verdict =
  /** `slot` is null for a job without a bound. */
  | { readonly act: 'claim'; readonly slot: number | null }
  /** It waits until a slot of its job is free. */
  | { readonly act: 'wait' }
  /** Its time has not come: it is judged then. */
  | { readonly act: 'later' }
  | { readonly act: 'skip'; readonly reason: string; readonly takenSlots: readonly number[] };

export class Slots {
  readonly #view: ClusterView;
  readonly #claiming = new Map<string, { readonly group: string; readonly slot: number }>();
  readonly #waiting = new Map<string, Set<string>>();

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** Looks at what the view shows, and changes nothing. */
  judge(firing: FiringEntry, job: Job, nowMs: number): Verdict {
    const slot = this.#isBehindOlderMisfire(firing, job) ? 'none' : this.#freeSlot(firing, job);
    if (slot !== 'none') return { act: 'claim', slot };
    if (isPromised(firing)) return { act: 'wait' };
    return nowMs < startTime(firing) ? { act: 'later' } : this.skip(firing, job);
  }

  skip(firing: FiringEntry, job: Job): Extract<Verdict, { act: 'skip' }> {
    const others = this.#view.firingsByJob.get(job.name)?.values() ?? [];
    const running = [...others]
      .filter(
        ({ id, value, runId }) => value.node !== null && runId !== firing.runId && isBeside(id, firing.id),
      )
      .map(({ runId }) => runId);
    const reason = `overlap: ${running.join(', ') || 'another run'} was still running`;
    return {
      act: 'skip',
      reason,
      takenSlots: Array.from({ length: job.maxConcurrent ?? 0 }, (_, index) => index),
    };
  }

  /** A claim that takes this slot is under way. */
  claiming({ id, runId }: FiringEntry, slot: number | null): void {
    if (slot !== null) this.#claiming.set(runId, { group: slotGroup(id), slot });
  }

  claimed(runId: string): void {
    this.#claiming.delete(runId);
  }

  wait({ id, runId }: FiringEntry): void {
    const waiting = this.#waiting.get(id.job) ?? new Set();
    this.#waiting.set(id.job, waiting.add(runId));
  }

  /** Those that waited for a slot of the job; they wait no more. */
  takeWaiting(job: string): FiringEntry[] {
    const waiting = [...(this.#waiting.get(job) ?? [])];
    this.#waiting.delete(job);
    return waiting.flatMap((runId) => this.#view.firings.get(runId) ?? []);
  }

  /** It does not exist any more. */
  forget(runId: string): void {
    const job = runId.slice(0, runId.indexOf('/'));
    const waiting = this.#waiting.get(job);
    waiting?.delete(runId);
    if (waiting?.size === 0) this.#waiting.delete(job);
  }

  /** The lowest slot that seems free; null for a job without a bound. */
  #freeSlot(firing: FiringEntry, job: Job): number | null | 'none' {
    if (job.maxConcurrent === null) return null;
    const group = slotGroup(firing.id);
    const taken = new Set<number>();
    for (const other of this.#view.firingsByJob.get(job.name)?.values() ?? []) {
      const { slot, node } = other.value;
      if (!isBeside(other.id, firing.id)) continue;
      if (other.runId !== firing.runId && slot !== null && node !== null && this.#view.workers.has(node))
        taken.add(slot);
    }
    for (const one of this.#claiming.values()) if (one.group === group) taken.add(one.slot);
    for (let slot = 0; slot < job.maxConcurrent; slot += 1) if (!taken.has(slot)) return slot;
    return 'none';
  }

  #isBehindOlderMisfire(firing: FiringEntry, job: Job): boolean {
    if (!firing.value.misfire || firing.value.attempt > 0 || job.maxConcurrent === null) return false;
    for (const other of this.#view.firingsByJob.get(job.name)?.values() ?? []) {
      const { misfire, node, attempt } = other.value;
      const isOlder = other.id.dueMs < firing.id.dueMs && isBeside(other.id, firing.id);
      if (misfire && node === null && attempt === 0 && isOlder) return true;
    }
    return false;
  }
}

/** It was promised to run, so that an overlap only delays it. */
export function isPromised({ value }: FiringEntry): boolean {
  return value.attempt > 0 || value.misfire;
}

/** They take slots from one another. */
function isBeside(a: FiringId, b: FiringId): boolean {
  return slotGroup(a) === slotGroup(b);
}
