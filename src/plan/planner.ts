/**
 * The leader's work: turning schedules into firings, ahead of time.
 *
 * Every stride (and at once when a job changes) a pass plans all occurrences up to `now + horizon`, in the total order
 * (due, job), as `firings/…` keys, each batch in one fenced transaction with the advanced cursor. The horizon is longer
 * than a takeover takes, so the death of a leader delays nothing.
 *
 * State of a term
 *     position   how far planning has come; equal to the cursor's `plannedThrough` after each commit; never goes back
 *     heap       the next occurrence behind `position` of every job whose definition has been planned up to it
 *     dirty      jobs whose definition changed: to be planned again from the time the change can have happened
 *     basis      the newest own cursor write that the mirror has shown: any job change with a greater revision was
 *                written after that write was sent. This, not the arrival of the event, is the time from which a changed
 *                job is planned: a leader that was cut off or frozen hears of a change late.
 *
 * A pass: dirty jobs (void what the old schedule planned, plan what the new one asks for) → overdue occurrences and
 * firings (misfire policy) → occurrences up to the horizon → the cursor. The cursor is written in every stride even when
 * nothing was planned: it keeps `basis` young.
 *
 * Why nothing is planned twice
 * - Occurrences behind `position` have never been planned, by the cursor's meaning: they need no compare.
 * - Everything else (a changed job, an overdue one) compares that neither firing nor run record exists, after reading
 *   which due times are accounted for already.
 *
 * Failures
 * - A reply is lost: `LeaderWriter` finds out whether the write happened.
 * - Deposed: the next fenced write fails, the pass ends, the next leader goes on at the cursor.
 * - The cursor is deleted or overwritten by hand: the leader in office writes its own again. A new leader that finds it
 *   gone, unreadable or far in the future treats all jobs as changed, and plans them with compares.
 * - A crash between two commits: the next leader repeats what was not committed, and finds what was.
 */
import { isDeepStrictEqual } from 'node:util';
import { sleep, type Clock } from '../clock.js';
import { formatDuration } from '../duration.js';
import { formatRunId, type Keys } from '../etcd/keys.js';
import { singleKey, type Operation, type Store } from '../etcd/store.js';
import { absent, del, modifiedAt, put } from '../etcd/txn.js';
import type { Term } from '../election/election.js';
import { emptyRecord, encodeRun } from '../history/run-record.js';
import type { Job } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import { inParallel } from '../parallel.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, DamagedFiring, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import type { CursorRecord } from '../view/cursor-record.js';
import { encodeFiring, plannedFiring, startTime } from '../view/firing-record.js';
import type { JobEntry } from '../view/job-entry.js';
import { readCoverage } from './coverage.js';
import { Heap } from '../heap.js';
import { jitteredStart } from './jitter.js';
import {
  CursorChangedError,
  LeaderWriter,
  NotLeaderError,
  ROOM_IN_TXN,
  type CommitResult,
  type Write,
} from './leader-writer.js';
import { decideMisfires, type MisfireDecision } from './misfire.js';
import { isTooLate, lastStart, whyNotStarted } from './start-deadline.js';
import { before, isBehind, lastDueWithin, nextAfter, type Occurrence, type Position } from './order.js';

export interface PlannerOptions {
  /** How far ahead firings are planned; longer than lease TTL + takeover. */
  readonly horizonMs: number;
  readonly strideMs: number;
  /** A firing that nobody started this long after the time at which it may start goes through the job's misfire policy. */
  readonly misfireAfterMs: number;
}

export interface PlannerContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly options: PlannerOptions;
  readonly isLeader: () => boolean;
  readonly onFenced: () => void;
}

/** An occurrence in the heap is void when its job was planned anew since (`generation`). */
interface Upcoming extends Occurrence {
  readonly generation: number;
}

interface Dirty {
  /** Plan from here, exclusive. */
  readonly fromMs: number;
  /** The first change that is not planned yet. */
  readonly revision: number;
}

/** A cursor this far ahead of any horizon was not written by a leader with a working clock. */
const IMPLAUSIBLE_AHEAD_MS = 60_000;
/** Where the cursor is unreadable, this much of the past is planned again (what was done already is found out). */
const REPLAN_AFTER_DAMAGE_MS = 60_000;
/** A cursor further ahead than this says nothing about what was planned: nobody's clock is that wrong unnoticed. */
const MAX_AGAIN_MS = 86_400_000;
/** Firings in one transaction when each brings two compares of its own. */
const GUARDED_BATCH = Math.floor(ROOM_IN_TXN / 2);
const VOIDED_WHILE_WAITING = 'its job was changed, paused, deleted or done while it waited for its turn';
/** Jobs that are planned side by side, so that their writes share transactions. */
const JOBS_AT_ONCE = 64;
const MAX_CONFLICTS = 5;

/** Plans for one term in office. */
export class Planner {
  readonly #context: PlannerContext;
  readonly #term: Term;
  readonly #abort = new AbortController();
  readonly #heap = new Heap<Upcoming>(before);
  /** The valid heap entry of each job; counted over all jobs, so that a name that comes back starts anew. */
  readonly #generations = new Map<string, number>();
  #lastGeneration = 0;
  readonly #dirty = new Map<string, Dirty>();
  /** Jobs whose firings could not be written for conflicts; said once. */
  readonly #unplannable = new Set<string>();
  #writer: LeaderWriter;
  #position: Position = { due: 0, job: null };
  /** Due times up to here may have been planned, and run, although the position lies before them. */
  #againThroughMs = -Infinity;
  /** The cursor that certainly stood last: taken over, or written by this term. Null: none that can be relied on. */
  #certain: CursorRecord | null = null;
  /** Sent since then; whether they were written is not known. Never to go on from, unless the mirror shows them. */
  #unsure: CursorRecord[] = [];
  /** The last write of ours that the view must show before the next pass judges what stands there. */
  #sentRevision: number;
  #waitsForView = false;
  #planned: { jobsRevision: number; at: number } = { jobsRevision: 0, at: 0 };
  #basis: { revision: number; sentAtMs: number };
  #needsInit = true;
  #catchingUp: Promise<void> = Promise.resolve();
  #wake: (() => void) | null = null;
  #woken = false;
  #loop: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(context: PlannerContext, term: Term) {
    this.#context = context;
    this.#term = term;
    this.#basis = { revision: term.createRevision, sentAtMs: term.campaignedAtMs };
    this.#sentRevision = term.createRevision;
    this.#writer = this.#makeWriter(0);
  }

  start(): void {
    this.#unsubscribe = this.#context.view.onChange((changes) => this.#onView(changes));
    this.#loop = this.#run();
  }

  /** Resolves when no write of this planner is under way. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#abort.abort(new Error('the planner was stopped'));
    this.poke();
    await this.#loop;
  }

  /** Makes the next pass begin at once. */
  poke(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { log, options, isLeader } = this.#context;
    while (!this.#abort.signal.aborted) {
      this.#woken = false;
      try {
        this.#waitsForView = this.#context.view.revision < this.#sentRevision;
        if (isLeader() && !this.#waitsForView) await this.#pass();
      } catch (error) {
        if (error instanceof CursorChangedError) {
          this.#needsInit = true;
        } else if (!(error instanceof NotLeaderError)) {
          log.error({ err: error }, 'planning failed; trying again');
        }
      }
      await this.#pause(options.strideMs);
    }
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#woken || this.#abort.signal.aborted) return;
    const waking = new AbortController();
    this.#wake = () => waking.abort(new Error('woken'));
    await sleep(this.#context.clock, delayMs, waking.signal).catch(() => undefined);
    this.#wake = null;
  }

  #onView(changes: ViewChanges): void {
    // With the basis from before this batch: an own cursor write within it may be younger than the change beside it.
    for (const [name, old] of changes.jobs) {
      const now = this.#context.view.jobs.get(name);
      const isCount = now !== undefined && now.modRevision === old?.modRevision;
      const revision = isCount ? changes.revision : (now?.modRevision ?? changes.revision);
      this.#markDirty(name, { fromMs: this.#basis.sentAtMs, revision }, old, now);
    }
    // A claim given back after its job was changed, or a firing that we planned while the change was under way.
    for (const runId of changes.firings.keys()) {
      const damaged = this.#context.view.damagedFirings.get(runId);
      if (damaged) this.#mend(damaged);
      const firing = this.#context.view.firings.get(runId);
      if (firing && this.#isUnwanted(firing))
        this.#addDirty(firing.id.job, this.#basis.sentAtMs, changes.revision);
    }
    this.#observeBasis(changes.revision);
    const showsOurs = changes.revision >= this.#sentRevision;
    if ((this.#needsInit || this.#waitsForView) && showsOurs) this.poke();
  }

  #markDirty(name: string, change: Dirty, old: JobEntry | undefined, now: JobEntry | undefined): void {
    // The planned firings stay right when only the command (or anything but the schedule) changed.
    const sameSchedule =
      old && now && old.plannedFingerprint !== null && old.plannedFingerprint === now.plannedFingerprint;
    if (!sameSchedule || this.#dirty.has(name)) this.#addDirty(name, change.fromMs, change.revision);
  }

  /** Somebody wrote over a firing, or put something where one is to be planned: its due time is planned again. */
  #mend({ id }: DamagedFiring): void {
    const { schedule, job } = this.#context.view.jobs.get(id.job) ?? {};
    const latestStartMs = id.dueMs + (job?.jitterMs ?? 0);
    const isRecent = latestStartMs > this.#context.clock.now() - REPLAN_AFTER_DAMAGE_MS;
    if (id.suffix !== null || !schedule || !isRecent || id.dueMs > lastDueWithin(this.#position, id.job))
      return;
    if (schedule.next(id.dueMs - 1) === id.dueMs) this.#addDirty(id.job, id.dueMs - 1, this.#basis.revision);
  }

  /** A new object each time: a mark that was set while the job was being planned must outlive that planning. */
  #addDirty(name: string, fromMs: number, revision: number): void {
    const known = this.#dirty.get(name);
    this.#dirty.set(
      name,
      known ? { ...known, fromMs: Math.min(known.fromMs, fromMs) } : { fromMs, revision },
    );
    this.poke();
  }

  /** The schedule of a job changed since this occurrence was computed: the job is planned again from there instead. */
  #isOutdated({ job, dueMs }: Upcoming): boolean {
    const dirty = this.#dirty.get(job);
    if (dirty && dirty.fromMs >= dueMs) this.#addDirty(job, dueMs - 1, dirty.revision);
    return dirty !== undefined;
  }

  /** The job's schedule does not ask for this firing (any more), and it never started. */
  #isUnwanted(firing: FiringEntry): boolean {
    return isVoidable(firing, this.#context.view.jobs.get(firing.id.job)?.plannedFingerprint ?? null);
  }

  #observeBasis(viewRevision: number): void {
    const own = this.#writer.observed(viewRevision);
    if (own) this.#basis = own;
  }

  // ── one pass ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #pass(): Promise<void> {
    if (this.#needsInit) this.#init();
    // What is dirty now was changed at or before this basis or is listed with a later revision.
    const basis = this.#basis;
    const overdueThroughMs = this.#context.clock.now() - this.#context.options.misfireAfterMs;
    await this.#planDirtyJobs(overdueThroughMs);
    await this.#resolveOverdue(overdueThroughMs);
    await this.#planAhead(basis);
  }

  /** Takes up the cursor that the mirror shows, or rather our own where somebody else wrote over it. */
  #init(): void {
    const { view, clock, log, options } = this.#context;
    const nowMs = clock.now();
    this.#heap.clear();
    this.#dirty.clear();
    this.#generations.clear();
    this.#writer = this.#makeWriter(view.cursor.state === 'absent' ? 0 : view.cursor.modRevision);
    const cursor = this.#trustworthyCursor(nowMs);
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
    for (const [name, entry] of view.jobs) {
      // With a count that changed it may have been done in between.
      const revision = Math.max(entry.modRevision, entry.count?.modRevision ?? 0);
      if (revision <= this.#planned.jobsRevision) this.#schedule(name, entry.schedule);
      else this.#dirty.set(name, { fromMs: this.#planned.at, revision });
    }
    // A job deleted or changed since then left firings that its schedule does not ask for any more.
    for (const firing of view.firings.values()) {
      if (this.#isUnwanted(firing))
        this.#addDirty(firing.id.job, this.#planned.at, this.#planned.jobsRevision + 1);
    }
    for (const damaged of view.damagedFirings.values()) this.#mend(damaged);
    this.#needsInit = false;
    log.info(
      {
        jobs: view.jobs.size,
        changed: this.#dirty.size,
        plannedThrough: new Date(this.#position.due).toISOString(),
      },
      'planning from the cursor',
    );
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
    if (ours && ![ours, ...this.#unsure].some((one) => isDeepStrictEqual(one, shown))) {
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

  /** Puts the job's next occurrence behind the position into the heap, in place of any earlier entry. */
  #schedule(name: string, schedule: Schedule | null): void {
    this.#generations.delete(name);
    const dueMs = schedule && nextAfter(this.#position, name, schedule);
    if (dueMs === null) return;
    const generation = ++this.#lastGeneration;
    this.#generations.set(name, generation);
    this.#heap.push({ dueMs, job: name, generation });
  }

  // ── changed jobs ────────────────────────────────────────────────────────────────────────────────────────────────

  async #planDirtyJobs(overdueThroughMs: number): Promise<void> {
    await inParallel([...this.#dirty], JOBS_AT_ONCE, async ([name, dirty]) => {
      const entry = this.#context.view.jobs.get(name);
      const planned = await this.#untilNoConflict(name, (conflicts) =>
        this.#replan(name, entry, dirty.fromMs, overdueThroughMs, conflicts > 0),
      );
      // It stays dirty, and stops no other job.
      if (!planned) return;
      this.#schedule(name, entry?.schedule ?? null);
      // Changed again while it was planned: it stays dirty, from the same time on.
      if (this.#dirty.get(name) === dirty) this.#dirty.delete(name);
    });
  }

  /**
   * Voids what the old schedule planned and plans what the new one asks for, up to the position. Which due times have
   * their record already is read for past ones only, unless a conflict showed that others have one, too (a clock was
   * set, or a run was killed before it began).
   */
  async #replan(
    name: string,
    entry: JobEntry | undefined,
    fromMs: number,
    overdueThroughMs: number,
    afterConflict: boolean,
  ): Promise<CommitResult> {
    const { view, clock, store, keys } = this.#context;
    const schedule = entry?.schedule ?? null;
    const job = entry?.job ?? null;
    const fingerprint = entry?.plannedFingerprint ?? null;
    const firings = [...(view.firingsByJob.get(name)?.values() ?? [])];
    const voided = firings.filter((firing) => isVoidable(firing, fingerprint));
    const throughMs = lastDueWithin(this.#position, name);
    const missedThroughMs = Math.min(overdueThroughMs, throughMs);

    let guarded: GuardedPut[] = [];
    if (schedule && job) {
      const kept = new Set(
        firings.filter((one) => one.id.suffix === null && !voided.includes(one)).map((one) => one.id.dueMs),
      );
      const dues = occurrences(schedule, Math.max(fromMs, missedThroughMs), throughMs).filter(
        (due) => !kept.has(due),
      );
      const doubtful = afterConflict ? dues : dues.filter((due) => due <= clock.now());
      const covered =
        doubtful.length > 0
          ? await readCoverage(store, keys, name, doubtful[0]!, doubtful.at(-1)!)
          : () => false;
      const asked = dues.filter((due) => due > (doubtful.at(-1) ?? -Infinity) || !covered(due));
      // What the old schedule had planned and the new one asks for as well is not lost, however late we hear of it. (A
      // conflict may say that it has its record already: somebody put the firing there.)
      const sharedDues = voided.flatMap(({ id }) =>
        id.suffix === null && id.dueMs <= throughMs && schedule.next(id.dueMs - 1) === id.dueMs
          ? [id.dueMs]
          : [],
      );
      const shared = afterConflict ? await this.#withoutRecord(name, sharedDues) : sharedDues;
      guarded = [...new Set([...shared, ...asked])].map((dueMs) => ({ dueMs, misfire: false }));
    }
    const ended = await this.#endedWithRecord(voided, afterConflict);
    const result = await this.#writeFirings(name, fingerprint, guarded, voided, ended);
    if (!result.committed || !schedule || !job) return result;
    const firstDueMs = schedule.next(fromMs);
    if (firstDueMs === null || firstDueMs > missedThroughMs) return result;
    return this.#resolveJob(name, job, schedule, firstDueMs, missedThroughMs, afterConflict);
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

  /** Those of `dues`, in any order, that no record accounts for. */
  async #withoutRecord(job: string, dues: readonly number[]): Promise<number[]> {
    if (dues.length === 0) return [];
    const { store, keys } = this.#context;
    const covered = await readCoverage(store, keys, job, Math.min(...dues), Math.max(...dues));
    return dues.filter((due) => !covered(due));
  }

  /**
   * Plans `dues` where neither firing nor record exists, and deletes `voided`, in as few transactions as etcd's limits
   * allow. A voided firing of the same due time is overwritten instead. Those in `ended` get a record.
   */
  async #writeFirings(
    job: string,
    fingerprint: string | null,
    dues: readonly GuardedPut[],
    voided: readonly FiringEntry[],
    ended: ReadonlySet<string> = new Set(),
  ): Promise<CommitResult> {
    const { keys, clock } = this.#context;
    const entry = this.#context.view.jobs.get(job);
    const replaced = new Map(voided.map((firing) => [firing.runId, firing]));
    const parts: Write[] = [];
    for (const { dueMs, misfire } of dues) {
      const id = { job, dueMs, suffix: null };
      const key = keys.firing(id);
      // What the misfire policy chose to run late is late enough.
      const startMs = misfire ? null : startOf(entry, dueMs);
      const voidedOne = replaced.get(formatRunId(id));
      const old = voidedOne ?? this.#context.view.damagedFirings.get(formatRunId(id));
      replaced.delete(formatRunId(id));
      const planned = plannedFiring(fingerprint ?? '', misfire, startMs);
      parts.push({
        compare: [old ? modifiedAt(key, old.modRevision) : absent(key), absent(keys.run(id))],
        operations: [put(key, encodeFiring({ ...planned, waiting: voidedOne?.value.waiting ?? false }))],
      });
    }
    for (const { id, runId, modRevision } of replaced.values()) {
      const key = keys.firing(id);
      const isEnded = ended.has(runId);
      const record = emptyRecord('cancelled', VOIDED_WHILE_WAITING, clock.now());
      parts.push({
        compare: [modifiedAt(key, modRevision), ...(isEnded ? [absent(keys.run(id))] : [])],
        operations: [del(key), ...(isEnded ? [put(keys.run(id), encodeRun(record))] : [])],
      });
    }
    let result: CommitResult = { committed: true, revision: 0 };
    for (let index = 0; index < parts.length && result.committed; index += GUARDED_BATCH) {
      result = await this.#writer.commit(merge(parts.slice(index, index + GUARDED_BATCH)));
      if (result.committed) this.#mustSee(result.revision);
    }
    return result;
  }

  /** A revision at which we changed something that the view shows. */
  #mustSee(revision: number): void {
    this.#sentRevision = Math.max(this.#sentRevision, revision);
  }

  // ── overdue ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends every due time that nobody started in time through its job's misfire policy. */
  async #resolveOverdue(throughMs: number): Promise<void> {
    const { view, clock } = this.#context;
    const nowMs = clock.now();
    const overdue = new Map<string, number | null>();
    const unplanned: Upcoming[] = [];
    for (let top = this.#heap.peek(); top && top.dueMs <= throughMs; top = this.#heap.peek()) {
      this.#heap.pop();
      if (!this.#isCurrent(top) || this.#isOutdated(top)) continue;
      unplanned.push(top);
      overdue.set(top.job, top.dueMs);
    }
    for (const firing of view.firings.values()) {
      if (overdue.has(firing.id.job)) continue;
      if (isOverdue(firing, throughMs) || (isToStart(firing) && isTooLate(view, firing, nowMs)))
        overdue.set(firing.id.job, null);
    }
    if (overdue.size === 0) return;
    try {
      // As in `#planGuarded`: what is overdue by this clock lies ahead of one that is right.
      if (unplanned.length > 0) await this.#announceThrough(throughMs);
      await inParallel([...overdue], JOBS_AT_ONCE, async ([name, firstDueMs]) => {
        const resolved = await this.#untilNoConflict(name, async (conflicts) => {
          const entry = view.jobs.get(name);
          const outdated =
            firstDueMs === null
              ? this.#dirty.has(name)
              : this.#isOutdated({ job: name, dueMs: firstDueMs, generation: 0 });
          if (outdated || !entry?.job || !entry.schedule) return { committed: true, revision: 0 };
          return this.#resolveJob(name, entry.job, entry.schedule, firstDueMs, throughMs, conflicts > 0);
        });
        if (!resolved) this.#addDirty(name, (firstDueMs ?? throughMs) - 1, 0);
      });
    } catch (error) {
      for (const one of unplanned) this.#heap.push(one);
      throw error;
    }
    if (unplanned.length === 0) return;
    this.#advance({ due: throughMs, job: null });
    for (const { job } of unplanned) this.#schedule(job, view.jobs.get(job)?.schedule ?? null);
    await this.#commitCursor();
  }

  async #resolveJob(
    name: string,
    job: Job,
    schedule: Schedule,
    firstDueMs: number | null,
    throughMs: number,
    afterConflict: boolean,
  ): Promise<CommitResult> {
    const { view, store, keys, clock, log } = this.#context;
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
      const open = new Set(await this.#withoutRecord(name, dues));
      const settled = overdue.filter((one) => !open.has(one.id.dueMs));
      const removed = await this.#writeFirings(name, null, [], settled);
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
    log.warn(
      { job: name, policy: job.misfire.policy, run: decision.run.length, missed: decision.missed.length },
      'due times were not started in time',
    );
    for (const { dues, reason } of this.#missedParts(job, decision, waiting, isLate)) {
      const { atLeast } = decision;
      const missed = await this.#recordMissed(name, schedule, { dues, atLeast }, waiting, reason);
      if (!missed.committed) return missed;
    }
    const chosen = decision.run.filter((due) => !waiting.get(due)?.value.misfire);
    const overwritten = chosen.flatMap((due) => waiting.get(due) ?? []);
    return this.#writeFirings(
      name,
      job.fingerprint,
      chosen.map((dueMs) => ({ dueMs, misfire: true })),
      overwritten,
    );
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
   * One record for a run of due times, in the same transaction that takes away those that were planned. It ends where a
   * due time follows that is none of them: that one may lie in the range of another record. (Only where there are too many
   * to be counted does a range span what it does not count.)
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
      result = await this.#writer.commit({
        compare: [absent(runKey), ...deletes.map((one) => modifiedAt(keys.firing(one.id), one.modRevision))],
        operations: [put(runKey, encodeRun(record)), ...deletes.map((one) => del(keys.firing(one.id)))],
      });
      if (result.committed && deletes.length > 0) this.#mustSee(result.revision);
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

  // ── ahead ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Plans everything up to the horizon; the last transaction carries the cursor to its end. */
  async #planAhead(basis: { revision: number; sentAtMs: number }): Promise<void> {
    const { clock, options, view } = this.#context;
    const nowMs = clock.now();
    const horizonMs = nowMs + options.horizonMs;
    // A cursor behind the present was left by an outage, or by a clock that was behind.
    const guardedThroughMs =
      this.#position.due < nowMs ? horizonMs : Math.min(this.#againThroughMs, horizonMs);
    if (guardedThroughMs > this.#position.due) await this.#planGuarded(guardedThroughMs);
    let puts: Operation[] = [];
    for (let top = this.#heap.peek(); top && top.dueMs <= horizonMs; top = this.#heap.peek()) {
      const entry = view.jobs.get(top.job);
      if (!this.#isCurrent(top) || this.#isOutdated(top) || !entry?.schedule) {
        this.#heap.pop();
        continue;
      }
      if (puts.length === ROOM_IN_TXN) {
        await this.#commitAhead(puts);
        puts = [];
        // Time passed, and with it the state of the heap: look again before taking the next one.
        continue;
      }
      this.#heap.pop();
      puts.push(
        put(
          this.#context.keys.firing({ job: top.job, dueMs: top.dueMs, suffix: null }),
          encodeFiring(plannedFiring(entry.plannedFingerprint ?? '', false, startOf(entry, top.dueMs))),
        ),
      );
      this.#advance({ due: top.dueMs, job: top.job });
      const nextMs = entry.schedule.next(top.dueMs);
      if (nextMs !== null) this.#heap.push({ ...top, dueMs: nextMs });
    }
    this.#advance({ due: horizonMs, job: null });
    // All changes up to the basis have been planned, unless a job is still dirty from before.
    const settled = [...this.#dirty.values()].every(
      (dirty) => dirty.revision > basis.revision && dirty.fromMs >= basis.sentAtMs,
    );
    if (settled && basis.revision > this.#planned.jobsRevision) {
      this.#planned = { jobsRevision: basis.revision, at: basis.sentAtMs };
    }
    await this.#commitAhead(puts);
  }

  /** Plans ahead where due times may have a firing or a record already: those are left alone. */
  async #planGuarded(throughMs: number): Promise<void> {
    const { view } = this.#context;
    const dues = new Map<string, number[]>();
    for (let top = this.#heap.peek(); top && top.dueMs <= throughMs; top = this.#heap.peek()) {
      this.#heap.pop();
      const schedule = view.jobs.get(top.job)?.schedule;
      if (!this.#isCurrent(top) || this.#isOutdated(top) || !schedule) continue;
      const ofJob = dues.get(top.job);
      if (ofJob) ofJob.push(top.dueMs);
      else dues.set(top.job, [top.dueMs]);
      const nextMs = schedule.next(top.dueMs);
      if (nextMs !== null) this.#heap.push({ ...top, dueMs: nextMs });
    }
    try {
      await this.#announceThrough(throughMs);
      await inParallel([...dues], JOBS_AT_ONCE, async ([name, ofJob]) => {
        const planned = await this.#untilNoConflict(name, async (conflicts) => {
          // Before a conflict the view may still show firings that this very pass has voided.
          const stands = (dueMs: number): boolean =>
            conflicts > 0 && view.firings.has(formatRunId({ job: name, dueMs, suffix: null }));
          const open = (await this.#withoutRecord(name, ofJob)).filter((dueMs) => !stands(dueMs));
          const fingerprint = view.jobs.get(name)?.plannedFingerprint ?? null;
          return this.#writeFirings(
            name,
            fingerprint,
            open.map((dueMs) => ({ dueMs, misfire: false })),
            [],
          );
        });
        if (!planned) this.#addDirty(name, ofJob[0]! - 1, 0);
      });
    } catch (error) {
      this.#needsInit = true;
      throw error;
    }
    this.#advance({ due: throughMs, job: null });
  }

  /** Before firings are written beyond the cursor: whoever goes on from it must know that there may be some. */
  async #announceThrough(throughMs: number): Promise<void> {
    if (this.#againThroughMs >= throughMs) return;
    this.#againThroughMs = throughMs;
    await this.#commitCursor();
  }

  async #commitAhead(puts: readonly Operation[]): Promise<void> {
    try {
      await this.#commitCursor(puts);
    } catch (error) {
      // Not planned after all: what was taken from the heap is found again from the cursor.
      this.#needsInit = true;
      throw error;
    }
  }

  /** Writes the cursor as it should be now, with `operations`. */
  async #commitCursor(operations: readonly Operation[] = []): Promise<number> {
    const againThrough = this.#againThroughMs > this.#position.due ? this.#againThroughMs : null;
    const cursor: CursorRecord = { ...this.#planned, plannedThrough: this.#position, againThrough };
    this.#unsure.push(cursor);
    const { revision } = await this.#writer.commit({ operations, cursor });
    this.#certain = cursor;
    this.#unsure = [];
    this.#mustSee(revision);
    return revision;
  }

  #advance(position: Position): void {
    if (isBehind(position, this.#position)) this.#position = position;
  }

  #isCurrent(upcoming: Upcoming): boolean {
    return this.#generations.get(upcoming.job) === upcoming.generation;
  }

  // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A conflict says that the mirror was behind: waits until it has caught up and decides again. False when that does not
   * end, whatever stands in the way; it is said once.
   */
  async #untilNoConflict(
    job: string,
    attempt: (conflicts: number) => Promise<CommitResult>,
  ): Promise<boolean> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      const result = await attempt(conflicts);
      if (result.committed) {
        this.#unplannable.delete(job);
        return true;
      }
      await this.#viewReaches(result.revision);
    }
    if (!this.#unplannable.has(job))
      this.#context.log.error({ job }, 'its firings kept changing while they were planned; trying again');
    this.#unplannable.add(job);
    return false;
  }

  /** One after the other: each may write the cursor, and only one write of it can be under way. */
  #viewReaches(revision: number): Promise<void> {
    const reached = this.#catchingUp.then(() => this.#catchUp(revision));
    this.#catchingUp = reached.catch(() => undefined);
    return reached;
  }

  /** The mirror shows only part of the keyspace: a write of our own into that part is what makes it move for sure. */
  async #catchUp(revision: number): Promise<void> {
    if (this.#context.view.revision >= revision) return;
    const ours = await this.#commitCursor();
    while (this.#context.view.revision < ours) {
      if (this.#abort.signal.aborted || !this.#context.isLeader())
        throw new NotLeaderError('while catching up');
      await this.#viewChanges();
    }
  }

  async #viewChanges(): Promise<void> {
    const changed = new AbortController();
    const unsubscribe = this.#context.view.onChange(() => changed.abort(new Error('changed')));
    const signal = AbortSignal.any([changed.signal, this.#abort.signal]);
    await sleep(this.#context.clock, this.#context.options.strideMs, signal).catch(() => undefined);
    unsubscribe();
  }

  #makeWriter(cursorRevision: number): LeaderWriter {
    const { store, keys, clock, random, isLeader, onFenced } = this.#context;
    const { signal } = this.#abort;
    return new LeaderWriter(
      { store, keys, clock, random, isLeader, onFenced, signal },
      this.#term.createRevision,
      cursorRevision,
    );
  }
}

interface GuardedPut {
  readonly dueMs: number;
  readonly misfire: boolean;
}

/** When a firing of the job is to start, where that is not its due time. */
function startOf(entry: JobEntry | undefined, dueMs: number): number | null {
  return entry?.job && entry.schedule ? jitteredStart(entry.job, entry.schedule, dueMs) : null;
}

/** Nobody has claimed it, and nobody ever did. */
function isUnstarted(firing: FiringEntry): boolean {
  return firing.value.origin === 'schedule' && firing.value.attempt === 0 && firing.value.node === null;
}

/** Itself, not through those that it was expanded into. */
function isToStart(firing: FiringEntry): boolean {
  return isUnstarted(firing) && firing.value.expanded === null && firing.id.suffix === null;
}

function isOverdue(firing: FiringEntry, throughMs: number): boolean {
  const { misfire, waiting } = firing.value;
  return startTime(firing) <= throughMs && isToStart(firing) && !misfire && !waiting;
}

/** The job's schedule does not ask for this firing (any more), and it never started. */
function isVoidable(firing: FiringEntry, fingerprint: string | null): boolean {
  return isUnstarted(firing) && firing.value.fingerprint !== fingerprint;
}

function occurrences(schedule: Schedule, afterMs: number, throughMs: number): number[] {
  const found: number[] = [];
  for (let due = schedule.next(afterMs); due !== null && due <= throughMs; due = schedule.next(due))
    found.push(due);
  return found;
}

function merge(parts: readonly Write[]): Write {
  return {
    compare: parts.flatMap((part) => part.compare ?? []),
    operations: parts.flatMap((part) => part.operations ?? []),
  };
}
