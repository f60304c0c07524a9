/**
 * Planning ahead: all occurrences behind the position and up to `now + horizon`, in the order (due, job), as `firings/…`
 * keys, each batch in one fenced transaction with the advanced cursor. The last one carries the cursor to the horizon, in
 * every stride, even when nothing was planned: it keeps the basis young.
 *
 * Why nothing is planned twice: occurrences behind the position have never been planned, by the cursor's meaning, and the
 * cursor compares its own revision. So they need no compare. Where that may not be so (the position lies behind the present,
 * left by an outage or by a clock that was behind; or somebody planned further than the cursor says) they get compares.
 *
 * Failures: when a commit fails for good the position is ahead of what was written, and the cursor must be taken up again;
 * what was not committed is found again behind it.
 */
import { formatRunId } from '../etcd/keys.js';
import type { Operation } from '../etcd/store.js';
import { put } from '../etcd/txn.js';
import { inParallel } from '../parallel.js';
import { encodeFiring, plannedFiring } from '../view/firing-record.js';
import type { Conflicts } from './conflicts.js';
import type { DirtyJobs } from './dirty-jobs.js';
import { startOf } from './firing-state.js';
import type { GuardedFirings } from './guarded-firings.js';
import { ROOM_IN_TXN } from './leader-writer.js';
import { JOBS_AT_ONCE, type TermContext } from './planner-context.js';
import type { Basis, Progress } from './progress.js';

export interface AheadParts {
  readonly progress: Progress;
  readonly dirty: DirtyJobs;
  readonly conflicts: Conflicts;
  readonly guarded: GuardedFirings;
}

export class Ahead {
  readonly #context: TermContext;
  readonly #parts: AheadParts;

  constructor(context: TermContext, parts: AheadParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Plans up to the horizon. `basis`: what is dirty now was changed at or before it, or is listed with a later revision. */
  async plan(basis: Basis): Promise<void> {
    const { clock, options, view, keys, enrolment } = this.#context;
    const { progress, dirty } = this.#parts;
    const nowMs = clock.now();
    const horizonMs = nowMs + options.horizonMs;
    const guardedThroughMs =
      progress.position.due < nowMs ? horizonMs : Math.min(progress.againThroughMs, horizonMs);
    if (guardedThroughMs > progress.position.due) await this.#planGuarded(guardedThroughMs);
    const { upcoming } = enrolment;
    let puts: Operation[] = [];
    for (let next = upcoming.peek(); next && next.dueMs <= horizonMs; next = upcoming.peek()) {
      const { job, dueMs } = next;
      const entry = view.jobs.get(job);
      const isPlanned = !dirty.isOutdated(next) && entry?.schedule;
      if (isPlanned && puts.length === ROOM_IN_TXN) {
        await progress.commit(puts);
        puts = [];
        // Time passed, and with it what is dirty: look again before taking the next one.
        continue;
      }
      if (isPlanned) {
        const firing = plannedFiring(entry.plannedFingerprint ?? '', false, startOf(entry, dueMs));
        puts.push(put(keys.firing({ job, dueMs, suffix: null }), encodeFiring(firing)));
      }
      progress.advance({ due: dueMs, job });
    }
    progress.advance({ due: horizonMs, job: null });
    if (dirty.isSettledUpTo(basis)) progress.settle(basis);
    await progress.commit(puts);
  }

  /** Plans where due times may have a firing or a record already: those are left alone. */
  async #planGuarded(throughMs: number): Promise<void> {
    const { progress, dirty } = this.#parts;
    const dues = this.#duesThrough(throughMs);
    await progress.announceThrough(throughMs);
    await inParallel([...dues], JOBS_AT_ONCE, async ([name, ofJob]) => {
      if (!(await this.#planJob(name, ofJob))) dirty.add(name, ofJob[0]! - 1, 0);
    });
    progress.advance({ due: throughMs, job: null });
  }

  #duesThrough(throughMs: number): Map<string, number[]> {
    const { view, enrolment } = this.#context;
    const { upcoming } = enrolment;
    const dues = new Map<string, number[]>();
    for (let next = upcoming.peek(); next && next.dueMs <= throughMs; next = upcoming.peek()) {
      const { job, dueMs } = next;
      upcoming.moveTo({ due: dueMs, job });
      if (this.#parts.dirty.isOutdated(next) || !view.jobs.get(job)?.schedule) continue;
      const ofJob = dues.get(job);
      if (ofJob) ofJob.push(dueMs);
      else dues.set(job, [dueMs]);
    }
    return dues;
  }

  /** False when that did not get through for conflicts. */
  #planJob(name: string, dues: readonly number[]): Promise<boolean> {
    const { view } = this.#context;
    const { conflicts, guarded } = this.#parts;
    return conflicts.untilNone(name, async (met) => {
      // Before a conflict the view may still show firings that this very pass has voided.
      const stands = (dueMs: number): boolean =>
        met > 0 && view.firings.has(formatRunId({ job: name, dueMs, suffix: null }));
      const open = (await guarded.withoutRecord(name, dues)).filter((dueMs) => !stands(dueMs));
      const fingerprint = view.jobs.get(name)?.plannedFingerprint ?? null;
      const puts = open.map((dueMs) => ({ dueMs, misfire: false }));
      return guarded.write(name, fingerprint, puts, []);
    });
  }
}
