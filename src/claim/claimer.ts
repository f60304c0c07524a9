/**
 * Racing for firings: decides for each one when this node tries to claim it, and tries.
 *
 * The order of the race: all live workers rank themselves per firing (`rank.ts`). Rank 0 tries `claimLead` before the
 * due time, rank r steps in r × stagger later if nobody has claimed it by then. A worker without room stays out until
 * it has room again, which lets the next one go first. Order and mirror are hints; only the transaction decides.
 *
 * What a firing can be, seen from here
 *     unclaimed        tried at its time. Overdue ones that were never started are the leader's (misfire policy),
 *                      unless it chose them to run.
 *     in flight        somebody's; nothing to do until it changes.
 *     orphaned         its node's `workers/` key is gone, and with the same lease its lock: `rerun` is raced for again
 *                      (not before its time: a claim made with a clock far ahead would hold the job's slot until then),
 *                      `abandon` and what has crashed too often end `lost`.
 *     waiting, slots   its job runs as often as it may. Overlap is judged once per firing, when its first attempt is due
 *                      (a run that ends in the last half second is no overlap): then it is `skipped`. What was promised
 *                      waits for a free slot instead: later attempts, and the late runs that a misfire policy chose,
 *                      these in the order of their due times.
 *     falsely held     its lock, or its job's slot, stands without a lease: no worker put it there. Removed by the first
 *                      that loses against it, fenced by its revision.
 *     ours, not held   a claim in our name that we do not run (its reply was lost and given up on): handed back.
 *
 * A lost reply is resolved by sending the claim again: the second answer shows whose lock it is.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { workerNameOf } from '../election/worker-record.js';
import { messageOf } from '../errors.js';
import { firingFacts, type Keys } from '../etcd/keys.js';
import { singleKey, type Store, type Txn, type TxnResult } from '../etcd/store.js';
import { del, modifiedAt } from '../etcd/txn.js';
import { emptyRecord, type Outcome, type RunRecord } from '../history/run-record.js';
import type { Job } from '../jobs/index.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import type { JobEntry } from '../view/job-entry.js';
import { WallTimerQueue } from '../wall-timer-queue.js';
import {
  prepareClaim,
  type Claim,
  type ClaimResult,
  type CountedStart,
  type FakeClaim,
} from './claim-txn.js';
import { prepareEnd, prepareHandBack, prepareSettle } from './finish-txn.js';
import { persist } from './persist.js';
import { isPromised, Slots, type Verdict } from './slots.js';
import { Candidates } from './candidates.js';

export interface ClaimOptions {
  readonly claimLeadMs: number;
  readonly staggerMs: number;
  /** Must equal the planner's: who is to judge an overdue firing. */
  readonly misfireAfterMs: number;
  readonly maxCrashes: number;
}

export interface ClaimerContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly options: ClaimOptions;
  readonly nodeId: string;
  readonly worker: string;
  readonly leaseId: string;
  readonly isTrusted: () => boolean;
  readonly submit: (txn: Txn) => Promise<TxnResult>;
  /** The room left on this node (a run takes the weight of its job), claims under way not counted. */
  readonly room: () => number;
  /** This node holds a claim on the firing, or its last process for it is not gone yet. */
  readonly isHeld: (runId: string) => boolean;
  readonly onClaimed: (claim: Claim, job: Job) => void;
}

/** A claim in our own name that we do not know is looked at again after the mirror has certainly caught up. */
const STRAY_CHECK_MS = 5_000;
const RECHECK_MS = 1_000;
const UNKNOWN_END = 'its claim was given up on, and how it ended is not known';
const SLOT_RECHECK_MS = 250;
/** How much later the worker of a failed attempt tries than all others, where the job asks for another one. */
const AVOID_MS = 2_000;

export class Claimer implements Service {
  readonly #context: ClaimerContext;
  readonly #queue: WallTimerQueue;
  readonly #busy = new Set<string>();
  readonly #slots: Slots;
  readonly #waitingForRoom = new Set<string>();
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #candidates = new Candidates();
  /** The room that claims under way will take. */
  #claiming = 0;
  #unsubscribe: (() => void) | null = null;

  constructor(context: ClaimerContext) {
    this.#context = context;
    this.#slots = new Slots(context.view);
    // Each claim that etcd does not answer listens.
    setMaxListeners(0, this.#abort.signal);
    this.#queue = new WallTimerQueue(context.clock, (runIds) => {
      for (const runId of runIds) this.#attempt(runId);
    });
  }

  async start(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#unsubscribe = this.#context.view.onChange((changes) => this.#onView(changes));
    this.#rankWorkers();
    this.reconsiderAll();
  }

  /** Claims no more. Resolves when every claim under way has been answered, or can only be resolved by the lease. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#queue.close();
    this.#abort.abort(new Error('the claimer was stopped'));
    await Promise.all(this.#underWay);
  }

  /** A run ended: there is room, and its firing may be free again. */
  roomFreed(runId: string): void {
    const again = this.#context.view.firings.get(runId);
    if (again) this.#consider(again);
    this.#useRoom();
  }

  #useRoom(): void {
    for (const runId of this.#waitingForRoom) {
      if (this.#room() <= 0 || this.#abort.signal.aborted) return;
      // A heavy one may not fit yet where a lighter one does.
      if (this.#weightOf(runId) > this.#room()) continue;
      this.#waitingForRoom.delete(runId);
      this.#attempt(runId);
    }
  }

  /** Looks at every firing again; for changes that concern all of them. */
  reconsiderAll(): void {
    for (const firing of this.#context.view.firings.values()) this.#consider(firing);
  }

  #onView(changes: ViewChanges): void {
    const { view } = this.#context;
    if (changes.workers.size > 0 && this.#rankWorkers()) this.reconsiderAll();
    for (const [nodeId] of changes.workers) if (!view.workers.has(nodeId)) this.#nodeGone(nodeId);
    for (const [runId, before] of changes.firings) {
      const after = view.firings.get(runId);
      if (after) this.#consider(after);
      else this.#forgetForGood(runId);
      const freed = before && before.value.slot !== null && after?.value.slot !== before.value.slot;
      const overtaken = before?.value.misfire && before.value.node !== after?.value.node;
      if (freed || overtaken) this.#slotFreed(before.id.job);
    }
    for (const name of changes.jobs.keys()) {
      for (const firing of view.firingsByJob.get(name)?.values() ?? []) this.#consider(firing);
    }
  }

  /** True when the workers that take firings, or what they can do, changed. */
  #rankWorkers(): boolean {
    return this.#candidates.update(this.#context.view.workers.values());
  }

  #nodeGone(nodeId: string): void {
    for (const firing of this.#context.view.firingsByNode.get(nodeId)?.values() ?? []) {
      this.#consider(firing);
      if (firing.value.slot !== null) this.#slotFreed(firing.id.job);
    }
  }

  #slotFreed(job: string): void {
    for (const firing of this.#slots.takeWaiting(job)) this.#consider(firing);
  }

  #forget(runId: string): void {
    this.#queue.delete(runId);
    this.#waitingForRoom.delete(runId);
  }

  #forgetForGood(runId: string): void {
    this.#forget(runId);
    this.#slots.forget(runId);
  }

  // ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes, moves or drops the appointment for a firing. */
  #consider(firing: FiringEntry): void {
    const { runId } = firing;
    const rank = this.#busy.has(runId) || this.#context.isHeld(runId) ? -1 : this.#rank(firing);
    const atMs = rank < 0 ? null : this.#attemptAt(firing, rank);
    if (atMs === null) this.#forget(runId);
    else this.#queue.set(runId, atMs);
  }

  /** -1: not for this node. */
  #rank(firing: FiringEntry): number {
    const { view, nodeId } = this.#context;
    if (firing.value.node === nodeId) return 0;
    const job = view.jobs.get(firing.id.job)?.job;
    if (!job) return -1;
    // Anybody can write that it is lost.
    return this.#candidates.rank(this.#endOfOrphan(firing, job) === null ? job : null, firing, nodeId);
  }

  /** Why an orphan is not run again; null when it is, and for any other firing. */
  #endOfOrphan({ value }: FiringEntry, job: Job): string | null {
    if (value.node === null) return null;
    if (job.recovery === 'abandon') return 'its worker died; recovery: abandon';
    const crashes = value.crashes + 1;
    return crashes >= this.#context.options.maxCrashes
      ? `given up: ${crashes} attempts were lost with their workers`
      : null;
  }

  #attemptAt(firing: FiringEntry, rank: number): number | null {
    const { clock, options, nodeId } = this.#context;
    const nowMs = clock.now();
    const delayMs = rank * options.staggerMs + (this.#isLastResort(firing) ? AVOID_MS : 0);
    if (firing.value.node === nodeId) return nowMs + STRAY_CHECK_MS;
    if (!this.#isRaceable(firing)) return null;
    return Math.max(startTime(firing) - options.claimLeadMs, nowMs) + delayMs;
  }

  /** The job asks for another worker than the last one, and there is one. */
  #isLastResort({ id, value }: FiringEntry): boolean {
    const { view, worker } = this.#context;
    const job = view.jobs.get(id.job)?.job;
    const last = value.node === null ? value.lastWorker : workerNameOf(value.node);
    return job?.retries.avoidLastWorker === true && last === worker && this.#candidates.hasOther(job, worker);
  }

  #isRaceable(firing: FiringEntry): boolean {
    const { view, clock, options } = this.#context;
    const { node, attempt, origin, misfire, fingerprint } = firing.value;
    const entry = view.jobs.get(firing.id.job);
    if (!entry?.job || isForAll(firing, entry.job)) return false;
    if (node !== null) return !view.workers.has(node);
    if (origin !== 'schedule' || attempt > 0) return true;
    // About to be voided by the leader, or for it to judge.
    if (entry.plannedFingerprint !== fingerprint) return false;
    return misfire || startTime(firing) >= clock.now() - options.misfireAfterMs;
  }

  // ── what ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #attempt(runId: string): void {
    const { view, clock, isTrusted, isHeld, nodeId, options } = this.#context;
    const firing = view.firings.get(runId);
    if (!firing || this.#busy.has(runId) || isHeld(runId)) return;
    if (!isTrusted()) return this.#queue.set(runId, clock.now() + RECHECK_MS);
    if (firing.value.node === nodeId) return this.#track(runId, this.#handBackStray(firing));
    const entry = view.jobs.get(firing.id.job);
    const job = entry?.job;
    if (!entry || !job || !this.#isRaceable(firing)) return;
    const orphaned = firing.value.node !== null;
    const lost = this.#endOfOrphan(firing, job);
    if (lost !== null)
      return this.#track(runId, this.#settle(firing, 'lost', lost, firing.value.crashes + 1));
    if (this.#room() < job.weight) {
      this.#waitingForRoom.add(runId);
      return;
    }
    const verdict = this.#slots.judge(firing, job, clock.now());
    switch (verdict.act) {
      case 'claim':
        return this.#track(runId, this.#claim(firing, entry, job, verdict.slot, orphaned));
      case 'wait':
        return this.#slots.wait(firing);
      case 'later':
        return this.#queue.set(runId, startTime(firing) + this.#rank(firing) * options.staggerMs);
      case 'skip':
        return this.#track(runId, this.#skip(firing, verdict));
    }
  }

  #room(): number {
    return this.#context.room() - this.#claiming;
  }

  #weightOf(runId: string): number {
    const { view } = this.#context;
    return view.jobs.get(view.firings.get(runId)?.id.job ?? '')?.job?.weight ?? 1;
  }

  #skip(firing: FiringEntry, { reason, takenSlots }: Extract<Verdict, { act: 'skip' }>): Promise<void> {
    return this.#settle(firing, 'skipped', reason, firing.value.crashes, takenSlots);
  }

  async #claim(
    firing: FiringEntry,
    entry: JobEntry,
    job: Job,
    slot: number | null,
    afterCrash: boolean,
  ): Promise<void> {
    const { keys, clock, random, submit, nodeId, worker, leaseId, onClaimed } = this.#context;
    const { runId } = firing;
    const prepared = prepareClaim(keys, {
      id: firing.id,
      firing: firing.value,
      firingRevision: firing.modRevision,
      jobRevision: entry.modRevision,
      count: countedStart(firing, entry, clock.now()),
      ...{ nodeId, worker, leaseId, slot, afterCrash },
      nowMs: clock.now(),
    });
    this.#claiming += job.weight;
    this.#slots.claiming(firing, slot);
    let result: ClaimResult;
    try {
      result = prepared.interpret(
        await persist(submit, prepared.txn, { clock, random, signal: this.#abort.signal }),
      );
    } finally {
      this.#claiming -= job.weight;
      this.#slots.claimed(runId);
    }
    if (result.won) onClaimed(result.claim, job);
    else await this.#afterLoss(firing, entry, job, result);
  }

  async #afterLoss(
    firing: FiringEntry,
    entry: JobEntry,
    job: Job,
    loss: Extract<ClaimResult, { won: false }>,
  ): Promise<void> {
    const { view, clock, log } = this.#context;
    const { runId } = firing;
    const nowMs = clock.now();
    log.debug(
      {
        ...firingFacts(firing.id),
        why: loss.why,
        holder: loss.why === 'held' ? loss.holder?.node : undefined,
      },
      'claim lost',
    );
    const fake = loss.why === 'changed' ? undefined : loss.fake;
    if (fake) return this.#removeFake(firing, fake);
    if (loss.why === 'slot-taken') {
      if (!isPromised(firing) && nowMs >= startTime(firing))
        return this.#skip(firing, this.#slots.skip(firing, job));
      this.#queue.set(runId, Math.max(nowMs + SLOT_RECHECK_MS, startTime(firing)));
      return;
    }
    // The mirror may already show what we lost against, or will soon.
    const known = view.firings.get(runId);
    const changed = known?.modRevision !== firing.modRevision || view.jobs.get(firing.id.job) !== entry;
    this.#queue.set(runId, nowMs + (loss.why === 'changed' && changed ? 0 : RECHECK_MS));
  }

  /** And tries again at once. */
  async #removeFake(firing: FiringEntry, { key, modRevision }: FakeClaim): Promise<void> {
    const { store, log, clock } = this.#context;
    log.warn({ ...firingFacts(firing.id), key }, 'a claim without a lease, by no worker; removing it');
    await store.txn({ compare: [modifiedAt(key, modRevision)], success: [del(key)] });
    this.#queue.set(firing.runId, clock.now());
  }

  #recordOf(firing: FiringEntry, outcome: Outcome, reason: string, crashes: number): RunRecord {
    const { clock, nodeId, worker } = this.#context;
    const { attempt, node, origin } = firing.value;
    return {
      ...emptyRecord(outcome, reason, clock.now()),
      attempts: attempt,
      crashes,
      nodeId: node ?? nodeId,
      worker: node === null ? worker : workerNameOf(node),
      manual: origin === 'manual',
    };
  }

  /** Ends a firing that will not run (any more). */
  async #settle(
    firing: FiringEntry,
    outcome: Outcome,
    reason: string,
    crashes: number,
    takenSlots: readonly number[] = [],
  ): Promise<void> {
    const { keys, clock, random, submit, log, view } = this.#context;
    const record = this.#recordOf(firing, outcome, reason, crashes);
    const txn = prepareSettle(keys, firing, record, takenSlots);
    const result = await persist(submit, txn, { clock, random, signal: this.#abort.signal });
    if (result.succeeded) log.warn({ ...firingFacts(firing.id), outcome, reason }, 'ended without a run');
    else if (view.firings.get(firing.runId) === firing) {
      const [lock] = result.results[0]?.type === 'get' ? result.results[0].kvs : [];
      if (lock?.leaseId === null) return this.#removeFake(firing, lock);
      this.#queue.set(firing.runId, clock.now() + SLOT_RECHECK_MS);
    }
  }

  /**
   * The firing is in our name, under our living lease, and nothing of ours runs it: the claim's reply was given up on, the
   * end could not be written, or somebody deleted the lock. Whether the command ran is not known, so that a job that must
   * not run twice has lost this one.
   */
  async #handBackStray(firing: FiringEntry): Promise<void> {
    const { store, keys, clock, random, log, leaseId, submit, view } = this.#context;
    const { id, runId, modRevision, value } = firing;
    const [lock] = (await store.range(singleKey(keys.lock(id)))).kvs;
    // Ended, or changed, and the mirror is behind: it will show.
    if (view.firings.get(runId) !== firing) return;
    if (lock && lock.leaseId !== leaseId) throw new Error('the lock of our claim is in other hands');
    const abandon = view.jobs.get(id.job)?.job?.recovery === 'abandon';
    log.warn(
      { ...firingFacts(id), lock: lock !== undefined },
      'a claim in our name that we do not run; handing it back',
    );
    if (!lock && abandon) return this.#settle(firing, 'lost', UNKNOWN_END, value.crashes);
    const held = { id, fencingToken: lock?.createRevision ?? 0, slot: value.slot };
    const { txn } = abandon
      ? prepareEnd(keys, held, this.#recordOf(firing, 'lost', UNKNOWN_END, value.crashes))
      : prepareHandBack(keys, held, { ...value, node: null, slot: null });
    const compare = [...txn.compare, modifiedAt(keys.firing(id), modRevision)];
    await persist(submit, { ...txn, compare }, { clock, random, signal: this.#abort.signal });
  }

  /** Marks the firing as being worked on, and looks at it again afterwards if it changed meanwhile. */
  #track(runId: string, work: Promise<void>): void {
    const { view, clock, log, isHeld } = this.#context;
    const seen = view.firings.get(runId);
    this.#busy.add(runId);
    this.#queue.delete(runId);
    const tracked = work
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return;
        const facts = seen ? firingFacts(seen.id) : { run: runId };
        log.warn({ ...facts, err: messageOf(error) }, 'could not claim or end a firing; trying again');
        this.#queue.set(runId, clock.now() + RECHECK_MS);
      })
      .then(() => {
        this.#busy.delete(runId);
        this.#underWay.delete(tracked);
        this.#useRoom();
        const now = view.firings.get(runId);
        if (now && now !== seen && !isHeld(runId) && !this.#abort.signal.aborted) this.#consider(now);
      });
    this.#underWay.add(tracked);
  }
}

/** What runs is one firing for each worker instead, into which the leader expands it. */
function isForAll({ value }: FiringEntry, job: Job): boolean {
  return (
    value.expanded !== null ||
    (job.everywhere && value.only === null && value.node === null && value.attempt === 0)
  );
}

/** Runs of the schedule count towards `maxRuns`, each with its first attempt. */
function countedStart({ value }: FiringEntry, entry: JobEntry, nowMs: number): CountedStart | null {
  if ((entry.job?.maxRuns ?? null) === null || value.origin !== 'schedule' || value.attempt > 0) return null;
  const next = { job: entry.kv.createRevision, runs: entry.runs + 1, at: nowMs };
  return { seenRevision: entry.count?.modRevision ?? 0, next };
}
