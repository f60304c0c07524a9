/**
 * Sends every due time that nobody started in time through its job's misfire policy: due times behind the position, which
 * nobody planned (the cluster was down), and firings that were planned and that no worker took.
 *
 * The position moves beyond what was overdue only when all of it has been written; until then the announced end of it says
 * that firings may stand there. What is overdue by this clock lies ahead of one that is right.
 */
import { inParallel } from '../parallel.js';
import type { Conflicts } from './conflicts.js';
import type { DirtyJobs } from './dirty-jobs.js';
import { isOverdue, isToStart } from './firing-state.js';
import { JOBS_AT_ONCE, type TermContext } from './planner-context.js';
import type { Progress } from './progress.js';
import type { MisfireResolver } from './resolve-misfires.js';
import { isTooLate } from './start-deadline.js';

export interface OverdueParts {
  readonly progress: Progress;
  readonly dirty: DirtyJobs;
  readonly conflicts: Conflicts;
  readonly misfires: MisfireResolver;
}

export class Overdue {
  readonly #context: TermContext;
  readonly #parts: OverdueParts;

  constructor(context: TermContext, parts: OverdueParts) {
    this.#context = context;
    this.#parts = parts;
  }

  async resolve(throughMs: number): Promise<void> {
    const { view, enrolment } = this.#context;
    const { progress, dirty } = this.#parts;
    const unplanned = enrolment.upcoming.firstThrough(throughMs).filter((one) => !dirty.isOutdated(one));
    const overdue = new Map<string, number | null>(unplanned.map(({ job, dueMs }) => [job, dueMs]));
    for (const name of this.#withLateFirings(throughMs)) if (!overdue.has(name)) overdue.set(name, null);
    if (overdue.size === 0) return;
    if (unplanned.length > 0) await progress.announceThrough(throughMs);
    await inParallel([...overdue], JOBS_AT_ONCE, ([name, firstDueMs]) =>
      this.#resolveJob(name, firstDueMs, throughMs),
    );
    if (unplanned.length === 0) return;
    progress.advance({ due: throughMs, job: null });
    for (const { job } of unplanned) enrolment.upcoming.enrol(job, view.jobs.get(job)?.schedule ?? null);
    await progress.commit();
  }

  #withLateFirings(throughMs: number): Set<string> {
    const { view, clock } = this.#context;
    const nowMs = clock.now();
    const names = new Set<string>();
    for (const firing of view.firings.values()) {
      // None starts before it is due.
      if (firing.id.dueMs >= nowMs && firing.id.dueMs > throughMs) continue;
      if (isOverdue(firing, throughMs) || (isToStart(firing) && isTooLate(view, firing, nowMs)))
        names.add(firing.id.job);
    }
    return names;
  }

  async #resolveJob(name: string, firstDueMs: number | null, throughMs: number): Promise<void> {
    const { view } = this.#context;
    const { dirty, conflicts, misfires } = this.#parts;
    const resolved = await conflicts.untilNone(name, async (met) => {
      const entry = view.jobs.get(name);
      const isOutdated =
        firstDueMs === null ? dirty.has(name) : dirty.isOutdated({ job: name, dueMs: firstDueMs });
      if (isOutdated || !entry?.job || !entry.schedule) return { committed: true, revision: 0 };
      return misfires.resolve(name, entry.job, entry.schedule, firstDueMs, throughMs, met > 0);
    });
    if (!resolved) dirty.add(name, (firstDueMs ?? throughMs) - 1, 0);
  }
}
