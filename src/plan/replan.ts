/**
 * Planning changed jobs again: what the old schedule planned is voided, and what the new one asks for is planned, up to the
 * position. Beyond it the job is planned ahead like any other.
 *
 * Which due times have their record already is read for past ones only, unless a conflict showed that others have one, too
 * (a clock was set, or a run was killed before it began). Due times that are overdue by now go through the misfire policy.
 *
 * Failures: a crash between two commits leaves what the next leader finds, since the job is still dirty for it.
 */
import { sleep } from '../clock.js';
import { singleKey } from '../etcd/store.js';
import { inParallel } from '../parallel.js';
import type { Schedule } from '../schedule/index.js';
import type { FiringEntry } from '../view/cluster-view.js';
import type { JobEntry } from '../view/job-entry.js';
import type { Conflicts } from './conflicts.js';
import { readCoverage } from './coverage.js';
import type { Dirty, DirtyJobs } from './dirty-jobs.js';
import { isVoidable } from './firing-state.js';
import type { GuardedFirings, GuardedPut } from './guarded-firings.js';
import { NotLeaderError, type CommitResult } from './leader-writer.js';
import type { MisfireResolver } from './resolve-misfires.js';
import { lastDueWithin } from './order.js';
import { JOBS_AT_ONCE, type TermContext } from './planner-context.js';
import type { Progress } from './progress.js';

/** Of some 10 µs each. */
const LOOKED_AT_ONCE = 2_000;

export interface ReplannerParts {
  readonly progress: Progress;
  readonly dirty: DirtyJobs;
  readonly conflicts: Conflicts;
  readonly guarded: GuardedFirings;
  readonly misfires: MisfireResolver;
}

export class Replanner {
  readonly #context: TermContext;
  readonly #parts: ReplannerParts;

  constructor(context: TermContext, parts: ReplannerParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Plans all dirty jobs; what was due up to `overdueThroughMs` is overdue. */
  async planDirty(overdueThroughMs: number): Promise<void> {
    const { view, enrolment } = this.#context;
    const { dirty, conflicts } = this.#parts;
    const marks = await this.#withSomethingToDo(dirty.all());
    await inParallel(marks, JOBS_AT_ONCE, async ([name, mark]) => {
      const entry = view.jobs.get(name);
      const planned = await conflicts.untilNone(name, (met) =>
        this.#replan(name, entry, mark.fromMs, overdueThroughMs, met > 0),
      );
      // It stays dirty, and stops no other job.
      if (!planned) return;
      enrolment.upcoming.enrol(name, entry?.schedule ?? null);
      dirty.planned(name, mark);
    });
  }

  /** Looks at a part of them at a time: a lease is renewed meanwhile. */
  async #withSomethingToDo(marks: readonly [string, Dirty][]): Promise<[string, Dirty][]> {
    const { clock, isLeader } = this.#context;
    const firsts = new FirstDueTimes();
    const found: [string, Dirty][] = [];
    for (let index = 0; index < marks.length; index += LOOKED_AT_ONCE) {
      if (index > 0) await sleep(clock, 0);
      if (!isLeader()) throw new NotLeaderError('while looking at changed jobs');
      for (const [name, mark] of marks.slice(index, index + LOOKED_AT_ONCE))
        if (!this.#isNothingToDo(name, mark, firsts)) found.push([name, mark]);
    }
    return found;
  }

  /**
   * A new job that is not due before the position is enrolled, and that is all. Without a cursor there are 100,000 of them
   * at once: too many to parse in one go.
   */
  #isNothingToDo(name: string, mark: Dirty, firsts: FirstDueTimes): boolean {
    const { view, enrolment } = this.#context;
    const { progress, dirty } = this.#parts;
    if (view.firingsByJob.has(name)) return false;
    const schedule = view.jobs.get(name)?.expectedSchedule ?? null;
    const dueMs = schedule && firsts.after(mark.fromMs, schedule);
    if (dueMs !== null && dueMs <= lastDueWithin(progress.position, name)) return false;
    enrolment.upcoming.enrol(name, schedule);
    dirty.planned(name, mark);
    return true;
  }

  async #replan(
    name: string,
    entry: JobEntry | undefined,
    fromMs: number,
    overdueThroughMs: number,
    afterConflict: boolean,
  ): Promise<CommitResult> {
    const { progress, guarded, misfires } = this.#parts;
    const schedule = entry?.schedule ?? null;
    const job = entry?.job ?? null;
    const fingerprint = entry?.plannedFingerprint ?? null;
    const firings = [...(this.#context.view.firingsByJob.get(name)?.values() ?? [])];
    const voided = firings.filter((firing) => isVoidable(firing, fingerprint));
    const kept = firings.filter((firing) => !voided.includes(firing));
    const throughMs = lastDueWithin(progress.position, name);
    const missedThroughMs = Math.min(overdueThroughMs, throughMs);

    let puts: GuardedPut[] = [];
    if (schedule && job) {
      const fromOrMissedMs = Math.max(fromMs, missedThroughMs);
      const asked = await this.#askedFor(name, schedule, fromOrMissedMs, throughMs, kept, afterConflict);
      const shared = await this.#shared(name, schedule, throughMs, voided, afterConflict);
      puts = [...new Set([...shared, ...asked])].map((dueMs) => ({ dueMs, misfire: false }));
    }
    const ended = await this.#endedWithRecord(voided, afterConflict);
    const result = await guarded.write(name, fingerprint, puts, voided, ended);
    if (!result.committed || !schedule || !job) return result;
    const firstDueMs = schedule.next(fromMs);
    if (firstDueMs === null || firstDueMs > missedThroughMs) return result;
    return misfires.resolve(name, job, schedule, firstDueMs, missedThroughMs, afterConflict);
  }

  /** Due times in (afterMs, throughMs] that are neither kept nor, as far as that was read, accounted for. */
  async #askedFor(
    name: string,
    schedule: Schedule,
    afterMs: number,
    throughMs: number,
    kept: readonly FiringEntry[],
    afterConflict: boolean,
  ): Promise<number[]> {
    const { clock, store, keys } = this.#context;
    const standing = new Set(kept.filter((one) => one.id.suffix === null).map((one) => one.id.dueMs));
    const dues = occurrences(schedule, afterMs, throughMs).filter((due) => !standing.has(due));
    const doubtful = afterConflict ? dues : dues.filter((due) => due <= clock.now());
    if (doubtful.length === 0) return dues;
    const lastDoubtful = doubtful.at(-1)!;
    const covered = await readCoverage(store, keys, name, doubtful[0]!, lastDoubtful);
    return dues.filter((due) => due > lastDoubtful || !covered(due));
  }

  /**
   * What the old schedule had planned and the new one asks for as well: it is not lost, however late we hear of it. (A
   * conflict may say that it has its record already: somebody put the firing there.)
   */
  async #shared(
    name: string,
    schedule: Schedule,
    throughMs: number,
    voided: readonly FiringEntry[],
    afterConflict: boolean,
  ): Promise<number[]> {
    const dues = voided.flatMap(({ id }) =>
      id.suffix === null && id.dueMs <= throughMs && schedule.next(id.dueMs - 1) === id.dueMs
        ? [id.dueMs]
        : [],
    );
    return afterConflict ? this.#parts.guarded.withoutRecord(name, dues) : dues;
  }

  /** Run ids of those of `voided` whose time had come: they waited for their turn, and do not go without a word. */
  async #endedWithRecord(
    voided: readonly FiringEntry[],
    afterConflict: boolean,
  ): Promise<ReadonlySet<string>> {
    const waiting = voided.filter(({ value }) => value.waiting);
    if (!afterConflict) return new Set(waiting.map(({ runId }) => runId));
    // Somebody put a firing where a record stands.
    const { store, keys } = this.#context;
    const open = new Set<string>();
    await inParallel(waiting, JOBS_AT_ONCE, async ({ id, runId }) => {
      const { count } = await store.range(singleKey(keys.run(id)), { countOnly: true });
      if (count === 0) open.add(runId);
    });
    return open;
  }
}

/** Of many jobs, which share schedules and the time from which they are planned. */
class FirstDueTimes {
  readonly #known = new Map<Schedule, { readonly afterMs: number; readonly dueMs: number | null }>();

  after(afterMs: number, schedule: Schedule): number | null {
    let known = this.#known.get(schedule);
    if (known?.afterMs !== afterMs) {
      known = { afterMs, dueMs: schedule.next(afterMs) };
      this.#known.set(schedule, known);
    }
    return known.dueMs;
  }
}

function occurrences(schedule: Schedule, afterMs: number, throughMs: number): number[] {
  const found: number[] = [];
  for (let due = schedule.next(afterMs); due !== null && due <= throughMs; due = schedule.next(due))
    found.push(due);
  return found;
}
