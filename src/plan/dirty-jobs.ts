/**
 * Which jobs are to be planned again, and from when on.
 *
 * A job becomes dirty when its schedule changes (not when only its command does: the planned firings stay right), when a
 * firing appears that its schedule does not ask for (a claim given back after the change, or one that was planned while
 * the change was under way), and when somebody damaged one of its firings.
 *
 * Invariants
 * - A mark that is set while the job is being planned outlives that planning: each mark is an object of its own.
 * - `fromMs` never moves forward while the job is dirty.
 * - A dirty job is not planned ahead. Where an occurrence of it comes up that lies before its mark, the mark moves back to
 *   it, since nobody has planned it.
 */
import type { DamagedFiring, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import type { JobEntry } from '../view/job-entry.js';
import { isVoidable } from './firing-state.js';
import { lastDueWithin, type Occurrence } from './order.js';
import { REPLAN_AFTER_DAMAGE_MS, type TermContext } from './planner-context.js';
import type { Basis, Progress } from './progress.js';

export interface Dirty {
  /** Plan from here, exclusive. */
  readonly fromMs: number;
  /** The first change that is not planned yet. */
  readonly revision: number;
}

export class DirtyJobs {
  readonly #context: TermContext;
  readonly #progress: Progress;
  readonly #onAdded: () => void;
  readonly #dirty = new Map<string, Dirty>();

  constructor(context: TermContext, progress: Progress, onAdded: () => void) {
    this.#context = context;
    this.#progress = progress;
    this.#onAdded = onAdded;
  }

  get size(): number {
    return this.#dirty.size;
  }

  has(name: string): boolean {
    return this.#dirty.has(name);
  }

  all(): [string, Dirty][] {
    return [...this.#dirty];
  }

  /** Marks what a change of the view calls for. */
  observe(changes: ViewChanges): void {
    const { view } = this.#context;
    const fromMs = this.#progress.basis.sentAtMs;
    for (const [name, old] of changes.jobs) {
      const now = view.jobs.get(name);
      const isCount = now !== undefined && now.modRevision === old?.modRevision;
      const revision = isCount ? changes.revision : (now?.modRevision ?? changes.revision);
      if (!this.#isSameSchedule(old, now) || this.has(name)) this.add(name, fromMs, revision);
    }
    for (const runId of changes.firings.keys()) {
      const damaged = view.damagedFirings.get(runId);
      if (damaged) this.#mend(damaged);
      const firing = view.firings.get(runId);
      if (firing && this.#isUnwanted(firing)) this.add(firing.id.job, fromMs, changes.revision);
    }
  }

  /** After the cursor was taken up: exactly those are dirty that were not planned by then. */
  startOver(): void {
    const { view, enrolment } = this.#context;
    const { jobsRevision, at } = this.#progress.planned;
    this.#dirty.clear();
    for (const [name, entry] of view.jobs) {
      // With a count that changed it may have been done in between.
      const revision = Math.max(entry.modRevision, entry.count?.modRevision ?? 0);
      if (revision > jobsRevision) this.#dirty.set(name, { fromMs: at, revision });
    }
    enrolment.refresh(this.#dirty);
    // A job deleted or changed since then left firings that its schedule does not ask for any more.
    for (const firing of view.firings.values()) {
      if (this.#isUnwanted(firing)) this.add(firing.id.job, at, jobsRevision + 1);
    }
    for (const damaged of view.damagedFirings.values()) this.#mend(damaged);
  }

  /** A new object each time: a mark that was set while the job was being planned must outlive that planning. */
  add(name: string, fromMs: number, revision: number): void {
    const known = this.#dirty.get(name);
    this.#dirty.set(
      name,
      known ? { ...known, fromMs: Math.min(known.fromMs, fromMs) } : { fromMs, revision },
    );
    this.#onAdded();
  }

  /** The job has been planned as this mark asked for. Changed again meanwhile it stays dirty, from the same time on. */
  planned(name: string, dirty: Dirty): void {
    if (this.#dirty.get(name) === dirty) this.#dirty.delete(name);
  }

  /** The schedule of a job changed since this occurrence was computed: the job is planned again from there instead. */
  isOutdated({ job, dueMs }: Occurrence): boolean {
    const dirty = this.#dirty.get(job);
    if (dirty && dirty.fromMs >= dueMs) this.add(job, dueMs - 1, dirty.revision);
    return dirty !== undefined;
  }

  /** Whatever is dirty was changed after the basis. */
  isSettledUpTo(basis: Basis): boolean {
    return [...this.#dirty.values()].every(
      (dirty) => dirty.revision > basis.revision && dirty.fromMs >= basis.sentAtMs,
    );
  }

  #isSameSchedule(old: JobEntry | undefined, now: JobEntry | undefined): boolean {
    if (!old || !now || old.plannedFingerprint === null) return false;
    return old.plannedFingerprint === now.plannedFingerprint;
  }

  /** Somebody wrote over a firing, or put something where one is to be planned: its due time is planned again. */
  #mend({ id }: DamagedFiring): void {
    const { schedule, job } = this.#context.view.jobs.get(id.job) ?? {};
    const latestStartMs = id.dueMs + (job?.jitterMs ?? 0);
    const isRecent = latestStartMs > this.#context.clock.now() - REPLAN_AFTER_DAMAGE_MS;
    const { position, basis } = this.#progress;
    if (id.suffix !== null || !schedule || !isRecent || id.dueMs > lastDueWithin(position, id.job)) return;
    if (schedule.next(id.dueMs - 1) === id.dueMs) this.add(id.job, id.dueMs - 1, basis.revision);
  }

  #isUnwanted(firing: FiringEntry): boolean {
    return isVoidable(firing, this.#context.view.jobs.get(firing.id.job)?.plannedFingerprint ?? null);
  }
}
