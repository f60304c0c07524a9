/**
 * What becomes of the due times of one job that nobody started in time: `misfire.ts` decides, and here it is written.
 *
 *     missed   one record for each unbroken row of them, in the same transaction that takes away those that were planned
 *     run      planned, or planned again, with the mark of the misfire policy, so that workers take them though they are late
 *
 * The records of the job's range are read before it is judged: a leader that died half-way leaves nothing counted twice.
 */
import { formatDuration } from '../duration.js';
import { absent, del, modifiedAt, put } from '../etcd/txn.js';
import { emptyRecord, encodeRun } from '../history/run-record.js';
import type { Job } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import type { FiringEntry } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import { readCoverage } from './coverage.js';
import { isToStart } from './firing-state.js';
import { GUARDED_BATCH, type GuardedFirings } from './guarded-firings.js';
import type { CommitResult } from './leader-writer.js';
import { decideMisfires, type MisfireDecision } from './misfire.js';
import type { MisfireReport } from './misfire-report.js';
import type { TermContext } from './planner-context.js';
import type { Progress } from './progress.js';
import { lastStart, whyNotStarted } from './start-deadline.js';

export class MisfireResolver {
  readonly #context: TermContext;
  readonly #progress: Progress;
  readonly #guarded: GuardedFirings;
  readonly #report: MisfireReport;

  constructor(context: TermContext, progress: Progress, guarded: GuardedFirings, report: MisfireReport) {
    this.#report = report;
    this.#context = context;
    this.#progress = progress;
    this.#guarded = guarded;
  }

  /** Of unplanned due times from `firstDueMs` (null: there are none), and of planned firings, up to `throughMs`. */
  async resolve(
    name: string,
    job: Job,
    schedule: Schedule,
    firstDueMs: number | null,
    throughMs: number,
    afterConflict: boolean,
  ): Promise<CommitResult> {
    const { view, store, keys, clock } = this.#context;
    const nowMs = clock.now();
    const isLate = (due: number): boolean => {
      const lastMs = lastStart(job, () => schedule, due);
      return lastMs !== null && nowMs > lastMs;
    };
    const firings = [...(view.firingsByJob.get(name)?.values() ?? [])].filter(
      (one) => one.id.suffix === null,
    );
    let overdue = firings.filter(
      (one) =>
        isToStart(one) && (isLate(one.id.dueMs) || (!one.value.waiting && startTime(one) <= throughMs)),
    );
    if (afterConflict) {
      // Somebody put a firing where a record stands: the due time is accounted for, and the firing stands in the way.
      const dues = overdue.map((one) => one.id.dueMs);
      const open = new Set(await this.#guarded.withoutRecord(name, dues));
      const settled = overdue.filter((one) => !open.has(one.id.dueMs));
      const removed = await this.#guarded.write(name, null, [], settled);
      if (!removed.committed) return removed;
      overdue = overdue.filter((one) => open.has(one.id.dueMs));
    }
    const waiting = new Map(overdue.map((one) => [one.id.dueMs, one]));
    const known = new Set(firings.map((one) => one.id.dueMs));
    const covered =
      firstDueMs === null ? () => false : await readCoverage(store, keys, name, firstDueMs, throughMs);
    const decision = decideMisfires({
      policy: job.misfire,
      schedule,
      firstDueMs,
      throughMs,
      planned: [...waiting.keys()],
      isCovered: (due) => known.has(due) || covered(due),
      isTooLate: isLate,
      nowMs,
    });
    if (decision.run.length + decision.missed.length === 0) return { committed: true, revision: 0 };
    const { run, missed: gone } = decision;
    this.#report.add({ job: name, policy: job.misfire.policy, run: run.length, missed: gone.length });
    for (const { dues, reason } of this.#missedParts(job, decision, waiting, isLate)) {
      const { atLeast } = decision;
      const missed = await this.#recordMissed(name, schedule, { dues, atLeast }, waiting, reason);
      if (!missed.committed) return missed;
    }
    const chosen = decision.run.filter((due) => !waiting.get(due)?.value.misfire);
    const overwritten = chosen.flatMap((due) => waiting.get(due) ?? []);
    const puts = chosen.map((dueMs) => ({ dueMs, misfire: true }));
    return this.#guarded.write(name, job.fingerprint, puts, overwritten);
  }

  /** What is missed, with why: those whose `startDeadline` is past, then those that the misfire policy gave up. */
  #missedParts(
    job: Job,
    { missed, atLeast }: MisfireDecision,
    waiting: ReadonlyMap<number, FiringEntry>,
    isLate: (due: number) => boolean,
  ): { dues: readonly number[]; reason: string }[] {
    const { view, options } = this.#context;
    const byPolicy = `not started within ${options.misfireAfterMs} ms of the due time; misfire policy: ${job.misfire.policy}`;
    // Of too many not all are listed: a range must not end in what is left out.
    const late = atLeast || job.startDeadlineMs === null ? [] : missed.filter(isLate);
    const why = late.some((due) => waiting.has(due))
      ? whyNotStarted(view, job)
      : 'nobody was there to plan it';
    const within = formatDuration(job.startDeadlineMs ?? 0);
    return [
      { dues: late, reason: `not started within ${within} (startDeadline): ${why}` },
      { dues: missed.slice(late.length), reason: byPolicy },
    ];
  }

  /**
   * A record ends where a due time follows that is none of `dues`: that one may lie in the range of another record. (Only
   * where there are too many to be counted does a range span what it does not count.)
   */
  async #recordMissed(
    job: string,
    schedule: Schedule,
    { dues, atLeast }: { readonly dues: readonly number[]; readonly atLeast: boolean },
    waiting: ReadonlyMap<number, FiringEntry>,
    reason: string,
  ): Promise<CommitResult> {
    const { keys, clock } = this.#context;
    let result: CommitResult = { committed: true, revision: 0 };
    let chunk: number[] = [];
    let deletes: FiringEntry[] = [];
    const flush = async (): Promise<void> => {
      if (chunk.length === 0) return;
      const through = chunk.at(-1)!;
      const runKey = keys.run({ job, dueMs: through, suffix: null });
      const record = {
        ...emptyRecord('missed', reason, clock.now()),
        missed: { from: chunk[0]!, through, count: chunk.length, atLeast },
      };
      const write = {
        compare: [absent(runKey), ...deletes.map((one) => modifiedAt(keys.firing(one.id), one.modRevision))],
        operations: [put(runKey, encodeRun(record)), ...deletes.map((one) => del(keys.firing(one.id)))],
      };
      result = await this.#progress.write(write, deletes.length > 0);
      chunk = [];
      deletes = [];
    };
    for (const due of dues) {
      const isNext = chunk.length === 0 || atLeast || schedule.next(chunk.at(-1)!) === due;
      if (!isNext) await flush();
      if (!result.committed) return result;
      chunk.push(due);
      const firing = waiting.get(due);
      if (firing) deletes.push(firing);
      if (deletes.length === GUARDED_BATCH) await flush();
      if (!result.committed) return result;
    }
    await flush();
    return result;
  }
}
