/**
 * How far planning has come: the position, the cursor that says so in etcd, and the writes that move it.
 *
 *     position      everything up to it, in the order (due, job), is planned; equal to the cursor's `plannedThrough` after
 *                   each commit; goes back only when the cursor is taken up again
 *     planned       jobs changed up to `jobsRevision` have been planned by their new definition; later ones are, from `at`
 *     basis         the newest own cursor write that the mirror has shown: any job change with a greater revision was
 *                   written after that write was sent. This, not the arrival of the event, is the time from which a changed
 *                   job is planned: a leader that was cut off or frozen hears of a change late.
 *     againThrough  firings may stand, and may have run, up to here, although the position lies before it
 *
 * Failures
 * - A reply is lost: `LeaderWriter` finds out whether the write happened.
 * - The cursor is deleted or overwritten by hand: the leader in office writes its own again. A new leader that finds it
 *   gone, unreadable or far in the future treats all jobs as changed, and plans them with compares.
 * - A commit fails for good: the position is ahead of what was written. The cursor must be taken up again (`takeUp`).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Operation } from '../etcd/store.js';
import type { Term } from '../election/election.js';
import type { CursorRecord } from '../view/cursor-record.js';
import { LeaderWriter, type CommitResult, type Write } from './leader-writer.js';
import { isBehind, type Position } from './order.js';
import { REPLAN_AFTER_DAMAGE_MS, type TermContext } from './planner-context.js';

/** A cursor this far ahead of any horizon was not written by a leader with a working clock. */
const IMPLAUSIBLE_AHEAD_MS = 60_000;
/** A cursor further ahead than this says nothing about what was planned: nobody's clock is that wrong unnoticed. */
const MAX_AGAIN_MS = 86_400_000;

/** A cursor write of ours, and when it was sent. */
export interface Basis {
  readonly revision: number;
  readonly sentAtMs: number;
}

export class Progress {
  readonly #context: TermContext;
  readonly #term: Term;
  readonly #signal: AbortSignal;
  #writer: LeaderWriter;
  #position: Position = { due: 0, job: null };
  #againThroughMs = -Infinity;
  #planned: { jobsRevision: number; at: number } = { jobsRevision: 0, at: 0 };
  #basis: Basis;
  /** The cursor that certainly stood last: taken over, or written by this term. Null: none that can be relied on. */
  #certain: CursorRecord | null = null;
  /** It was taken over: what an earlier term of the same office sent may be applied after that. */
  #isTakenOver = true;
  /** Sent since then; whether they were written is not known. Never to go on from, unless the mirror shows them. */
  #unsure: CursorRecord[] = [];
  /** The last write of ours that the view must show before the next pass judges what stands there. */
  #sentRevision: number;

  /** `signal` ends all waiting for etcd. */
  constructor(context: TermContext, term: Term, signal: AbortSignal) {
    this.#context = context;
    this.#term = term;
    this.#signal = signal;
    this.#basis = { revision: term.createRevision, sentAtMs: term.campaignedAtMs };
    this.#sentRevision = term.createRevision;
    this.#writer = this.#makeWriter(0);
  }

  get position(): Position {
    return this.#position;
  }

  get planned(): { readonly jobsRevision: number; readonly at: number } {
    return this.#planned;
  }

  get basis(): Basis {
    return this.#basis;
  }

  get againThroughMs(): number {
    return this.#againThroughMs;
  }

  /** The view shows what this term has written so far. */
  isShownAt(viewRevision: number): boolean {
    return viewRevision >= this.#sentRevision;
  }

  /** The view has come to this revision. */
  observe(viewRevision: number): void {
    this.#basis = this.#writer.observed(viewRevision) ?? this.#basis;
  }

  /** Takes up the cursor that the mirror shows, or rather our own where somebody else wrote over it. */
  takeUp(): void {
    const { view, clock, options, enrolment } = this.#context;
    const nowMs = clock.now();
    this.#writer = this.#makeWriter(view.cursor.state === 'absent' ? 0 : view.cursor.modRevision);
    const cursor = this.#trustworthyCursor(nowMs);
    this.#isTakenOver ||= this.#certain === null;
    this.#certain = cursor;
    if (cursor !== null) {
      const { plannedThrough, jobsRevision, at, againThrough } = cursor;
      this.#position = plannedThrough;
      this.#planned = { jobsRevision, at };
      this.#againThroughMs = againThrough ?? -Infinity;
    } else {
      this.#againThroughMs = Math.min(this.#plannedBefore(), nowMs + MAX_AGAIN_MS);
      const back = view.cursor.state === 'absent' ? 0 : REPLAN_AFTER_DAMAGE_MS;
      // Up to the horizon firings may stand already: there all jobs are planned as changed ones are, with compares.
      this.#position = { due: nowMs + options.horizonMs, job: null };
      this.#planned = { jobsRevision: 0, at: this.#basis.sentAtMs - back };
    }
    enrolment.upcoming.moveTo(this.#position);
  }

  /** Everything up to this position is planned with the next commit. Never goes back. */
  advance(position: Position): void {
    if (!isBehind(position, this.#position)) return;
    this.#position = position;
    this.#context.enrolment.upcoming.moveTo(position);
  }

  /** All job changes up to the basis have been planned. */
  settle(basis: Basis): void {
    if (basis.revision > this.#planned.jobsRevision)
      this.#planned = { jobsRevision: basis.revision, at: basis.sentAtMs };
  }

  /**
   * Writes the cursor as it should be now, with `operations`; resolves to the revision. Rejects with `NotLeaderError`,
   * `CursorChangedError` or a `StoreError`.
   */
  async commit(operations: readonly Operation[] = []): Promise<number> {
    const againThrough = this.#againThroughMs > this.#position.due ? this.#againThroughMs : null;
    const cursor: CursorRecord = { ...this.#planned, plannedThrough: this.#position, againThrough };
    this.#unsure.push(cursor);
    const { revision } = await this.#writer.commit({ operations, cursor });
    this.#certain = cursor;
    this.#isTakenOver = false;
    this.#unsure = [];
    this.#mustSee(revision);
    return revision;
  }

  /** Before firings are written beyond the cursor: whoever goes on from it must know that there may be some. */
  async announceThrough(throughMs: number): Promise<void> {
    if (this.#againThroughMs >= throughMs) return;
    this.#againThroughMs = throughMs;
    await this.commit();
  }

  /** A write that does not move the cursor. `isMirrored`: the view shows what it changes. Rejects as `commit` does. */
  async write(write: Write, isMirrored = true): Promise<CommitResult> {
    const result = await this.#writer.commit(write);
    if (result.committed && isMirrored) this.#mustSee(result.revision);
    return result;
  }

  #mustSee(revision: number): void {
    this.#sentRevision = Math.max(this.#sentRevision, revision);
  }

  /** How far somebody planned of whose cursor nothing can be believed. */
  #plannedBefore(): number {
    const { cursor, firings } = this.#context.view;
    let throughMs = -Infinity;
    if (cursor.state === 'present')
      throughMs = Math.max(cursor.value.plannedThrough.due, cursor.value.againThrough ?? -Infinity);
    for (const { id } of firings.values()) throughMs = Math.max(throughMs, id.dueMs);
    return throughMs;
  }

  /** Null when there is none. */
  #trustworthyCursor(nowMs: number): CursorRecord | null {
    const { view, log, options } = this.#context;
    const shown = view.cursor.state === 'present' ? view.cursor.value : null;
    const ours = this.#certain;
    const isKnown = [ours, ...this.#unsure].some((one) => isDeepStrictEqual(one, shown));
    if (ours && !isKnown && !(this.#isTakenOver && shown && isFurther(shown, ours))) {
      log.error({ cursor: shown }, 'somebody else wrote or deleted the cursor; going on from our own');
      return ours;
    }
    if (shown && shown.jobsRevision > view.revision) {
      log.error(
        { cursor: shown },
        'the cursor names a revision that etcd has not reached; planning again without it',
      );
      return null;
    }
    if (shown && shown.plannedThrough.due > nowMs + options.horizonMs + IMPLAUSIBLE_AHEAD_MS) {
      log.error({ cursor: shown }, 'the cursor lies too far in the future; planning again without it');
      return null;
    }
    return shown;
  }

  #makeWriter(cursorRevision: number): LeaderWriter {
    const { store, keys, clock, random, isLeader, onFenced, onWritten } = this.#context;
    return new LeaderWriter(
      { store, keys, clock, random, isLeader, onFenced, onWritten, signal: this.#signal },
      this.#term.createRevision,
      cursorRevision,
    );
  }
}

/** In everything that a cursor says, as far or further. */
function isFurther(one: CursorRecord, other: CursorRecord): boolean {
  return (
    !isBehind(other.plannedThrough, one.plannedThrough) &&
    one.jobsRevision >= other.jobsRevision &&
    one.at >= other.at
  );
}
