/**
 * Racing for firings: decides for each one when this node tries to claim it, and tries.
 *
 * The order of the race: all live workers rank themselves per firing (`rank.ts`). Rank 0 tries `claimLead` before the
 * due time, rank r steps in r × stagger later if nobody has claimed it by then. A worker without room stays out until
 * it has room again, which lets the next one go first. Of very many that are due at one moment the first in order claims
 * some earlier. Order and mirror are hints; only the transaction decides.
 *
 * What a firing can be, seen from here
 *     unclaimed        tried at its time. Overdue ones that were never started are the leader's (misfire policy),
 *                      unless it chose them to run.
 *     in flight        somebody's; nothing to do until it changes.
 *     orphaned         its node's `workers/` key is gone, and with the same lease its lock: `rerun` is raced for again
 *                      (not before its time: a claim made with a clock far ahead would hold the job's slot until then),
 *                      `abandon` and what has crashed too often end `lost`.
 *     not its turn     its job, or a limit that it is under, runs as often as it may: it waits or is skipped (`slots.ts`).
 *     killed           somebody asked for its end while nobody runs it: it ends at once.
 *     falsely held     its lock, or a slot, stands without a lease: no worker put it there. Removed by the first that
 *                      loses against it, fenced by its revision.
 *     ours, not held   a claim in our name that we do not run (its reply was lost and given up on): handed back.
 *     outdated         it was ours, and may have ended, before the view shows the claim: nothing to do until it does.
 *
 * A lost reply is resolved by sending the claim again: the second answer shows whose lock it is.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { workerNameOf } from '../election/worker-record.js';
import { messageOf } from '../errors.js';
import { firingFacts, type Keys } from '../etcd/keys.js';
import type { Compare, Store, Txn, TxnResult } from '../etcd/store.js';
import { del, get, modifiedAt } from '../etcd/txn.js';
import { emptyRecord, type Outcome, type RunRecord } from '../history/run-record.js';
import type { Job } from '../jobs/index.js';
import { isTooLate } from '../plan/start-deadline.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import type { JobEntry } from '../view/job-entry.js';
import { loadOf } from '../view/load.js';
import { killReason } from '../view/kill-record.js';
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
import type { RunObserver } from './run-observer.js';
import { BurstLead } from './burst-lead.js';
import { isPromised, Slots, type FreeSlots, type Verdict } from './slots.js';
import { prepareWait } from './wait-txn.js';
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
  /** This node takes new firings; if not, it only puts in order what is in its name or is over. */
  readonly mayClaim: () => boolean;
  /** By what this node itself knows of itself, whatever stands in etcd. */
  readonly mayRun: (job: Job) => boolean;
  readonly submit: (txn: Txn) => Promise<TxnResult>;
  /** The room left on this node (a run takes the weight of its job), claims under way not counted. */
  readonly room: () => number;
  /** This node holds a claim on the firing, or its last process for it is not gone yet. */
  readonly isHeld: (runId: string) => boolean;
  readonly onClaimed: (claim: Claim, job: Job) => void;
  readonly observer?: RunObserver | undefined;
}

/** A claim in our own name that we do not know is looked at again after the mirror has certainly caught up. */
const STRAY_CHECK_MS = 5_000;
const RECHECK_MS = 1_000;
/** Who waits is told when its turn comes. Should that ever be missed, it looks for itself. */
const WAIT_RECHECK_MS = 20_000;
const UNKNOWN_END = 'its claim was given up on, and how it ended is not known';
const SLOT_RECHECK_MS = 250;
/** The next in order waits for so many times as long as a claim takes … */
const PATIENCE = 4;
/** … but not longer than this: whoever does not claim may be frozen, and its lease stands. */
const MAX_STAGGER_MS = 1_000;
const SMOOTHING = 1 / 16;
/** How much later the worker of a failed attempt tries than all others, where the job asks for another one. */
const AVOID_MS = 2_000;

export class Claimer implements Service {
  readonly #context: ClaimerContext;
  readonly #queue: WallTimerQueue;
  readonly #busy = new Set<string>();
  readonly #slots: Slots;
  readonly #waitingForRoom = new Set<string>();
  /** Firings that others are to try before us. */
  readonly #stepIns = new Set<string>();
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #candidates = new Candidates();
  readonly #burstLead = new BurstLead();
  /** The room that claims under way will take. */
  #claiming = 0;
  /** From the decision to claim until the answer, smoothed. */
  #claimTakesMs = 0;
  /** When the claims that have no answer yet were sent, on the monotonic clock; the oldest comes first. */
  readonly #sentMs = new Map<string, number>();
  /** Claims that were won and that the view does not show yet; the oldest comes first. */
  readonly #unseen = new Map<string, { readonly revision: number; readonly sinceMs: number }>();
  #unsubscribe: (() => void) | null = null;

  constructor(context: ClaimerContext) {
    this.#context = context;
    this.#slots = new Slots({
      view: context.view,
      isRaceable: (firing) => this.#isRaceable(firing),
      hasTaker: (firing, job) =>
        this.#candidates.hasRoom(job, firing, (nodeId) => loadOf(context.view, nodeId)),
    });
    // Each claim that etcd does not answer listens.
    setMaxListeners(0, this.#abort.signal);
    this.#queue = new WallTimerQueue(context.clock, (runIds) => this.#onTime(runIds));
  }

  async start(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#unsubscribe = this.#context.view.onChange((changes) => this.#onView(changes));
    this.#slots.begin();
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
    for (const [runId, { revision }] of this.#unseen) {
      if (revision > view.revision) break;
      this.#unseen.delete(runId);
    }
    const next = this.#slots.observe(changes, this.#context.clock.now());
    if (changes.workers.size > 0 && this.#rankWorkers()) this.reconsiderAll();
    for (const [nodeId] of changes.workers) if (!view.workers.has(nodeId)) this.#nodeGone(nodeId);
    for (const runId of changes.firings.keys()) {
      const after = view.firings.get(runId);
      if (after) this.#consider(after);
      else this.#forget(runId);
    }
    for (const name of changes.jobs.keys()) {
      for (const firing of view.firingsByJob.get(name)?.values() ?? []) this.#consider(firing);
    }
    for (const runId of changes.kills) {
      const killed = view.firings.get(runId);
      if (killed) this.#consider(killed);
    }
    for (const firing of next) this.#consider(firing);
  }

  /** True when the workers that take firings, or what they can do, changed. */
  #rankWorkers(): boolean {
    return this.#candidates.update(this.#context.view.workers.values());
  }

  #nodeGone(nodeId: string): void {
    for (const firing of this.#context.view.firingsByNode.get(nodeId)?.values() ?? []) {
      this.#consider(firing);
    }
  }

  #forget(runId: string): void {
    this.#queue.delete(runId);
    this.#stepIns.delete(runId);
    this.#burstLead.forget(runId);
    this.#waitingForRoom.delete(runId);
  }

  // ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes, moves or drops the appointment for a firing. */
  #consider(firing: FiringEntry): void {
    const { runId } = firing;
    const isSettled =
      this.#busy.has(runId) ||
      this.#context.isHeld(runId) ||
      this.#isElsewhere(firing.value.node) ||
      this.#isOutdated(firing);
    const rank = isSettled ? -1 : this.#rank(firing);
    const atMs = rank < 0 ? null : this.#attemptAt(firing, rank);
    if (atMs === null) return this.#forget(runId);
    this.#queue.set(runId, atMs);
    if (rank > 0) this.#stepIns.add(runId);
    else this.#stepIns.delete(runId);
  }

  /** A living worker has it, and that is not us. */
  #isElsewhere(node: string | null): boolean {
    return node !== null && node !== this.#context.nodeId && this.#context.view.workers.has(node);
  }

  /** The view shows it as it was before our claim. */
  #isOutdated({ runId, modRevision }: FiringEntry): boolean {
    return modRevision < (this.#unseen.get(runId)?.revision ?? 0);
  }

  /** -1: not for this node. */
  #rank(firing: FiringEntry): number {
    const { view, nodeId } = this.#context;
    if (firing.value.node === nodeId) return 0;
    const job = view.jobs.get(firing.id.job)?.job;
    if (!job) return -1;
    // Anybody can write that it is lost, or killed.
    const isOver = this.#endOfOrphan(firing, job) !== null || view.kills.has(firing.runId);
    if (!isOver && !this.#context.mayRun(job)) return -1;
    return this.#candidates.rank(isOver ? null : job, firing, nodeId);
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
    const delayMs = this.#staggerMs(rank) + (this.#isLastResort(firing) ? AVOID_MS : 0);
    if (firing.value.node === nodeId) return nowMs + STRAY_CHECK_MS;
    if (!this.#isRaceable(firing)) return null;
    if (this.#context.view.kills.has(firing.runId)) return nowMs + delayMs;
    const startMs = startTime(firing);
    const leadMs = options.claimLeadMs + (rank === 0 ? this.#burstLead.of(firing.runId, startMs) : 0);
    return Math.max(startMs - leadMs, nowMs) + delayMs;
  }

  /**
   * How much later than the first in order a node tries. Where claims take long, or show late (etcd or the machine is
   * overloaded), whoever steps in too early loses, at the cost of the work that everybody waits for.
   */
  #staggerMs(rank: number): number {
    if (rank === 0) return 0;
    const { clock, options } = this.#context;
    const [oldestMs = Infinity] = this.#sentMs.values();
    const [unseen] = this.#unseen.values();
    const pendingMs = clock.monotonicMs() - Math.min(oldestMs, unseen?.sinceMs ?? Infinity);
    const takesMs = Math.max(this.#claimTakesMs, pendingMs);
    return rank * Math.min(Math.max(options.staggerMs, PATIENCE * takesMs), MAX_STAGGER_MS);
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
    const { node, attempt, origin, misfire, waiting, fingerprint } = firing.value;
    const entry = view.jobs.get(firing.id.job);
    if (!entry?.job || isForAll(firing, entry.job)) return false;
    if (node !== null) return !view.workers.has(node);
    if (origin !== 'schedule' || attempt > 0) return true;
    // About to be voided by the leader, or for it to judge.
    if (entry.plannedFingerprint !== fingerprint || isTooLate(view, firing, clock.now())) return false;
    return misfire || waiting || startTime(firing) >= clock.now() - options.misfireAfterMs;
  }

  #onTime(runIds: readonly string[]): void {
    const stepIns = runIds.filter((runId) => this.#stepIns.has(runId));
    for (const runId of runIds) if (!this.#stepIns.has(runId)) this.#attempt(runId);
    if (stepIns.length === 0) return;
    const stepIn = (): void => {
      for (const runId of stepIns) this.#stepIn(runId);
    };
    // After a long turn the timers come before what etcd has sent meanwhile, which may show that there is nothing left to do.
    const { soon } = this.#context.clock;
    if (soon) soon(stepIn);
    else stepIn();
  }

  /** Where those before us are given more time than when the appointment was made, it is moved. */
  #stepIn(runId: string): void {
    const { view, clock, options } = this.#context;
    const firing = view.firings.get(runId);
    if (!firing || this.#abort.signal.aborted) return;
    const rank = this.#rank(firing);
    const patientUntilMs = startTime(firing) - options.claimLeadMs + this.#staggerMs(rank);
    if (rank > 0 && firing.value.node === null && clock.now() < patientUntilMs)
      return this.#queue.set(runId, patientUntilMs);
    this.#attempt(runId);
  }

  // ── what ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #attempt(runId: string): void {
    const { view, clock, isTrusted, isHeld, nodeId } = this.#context;
    const firing = view.firings.get(runId);
    if (!firing || this.#busy.has(runId) || isHeld(runId)) return;
    if (!isTrusted()) return this.#queue.set(runId, clock.now() + RECHECK_MS);
    if (firing.value.node === nodeId) return this.#track(runId, this.#handBackStray(firing));
    const entry = view.jobs.get(firing.id.job);
    const job = entry?.job;
    if (!entry || !job || !this.#isRaceable(firing)) return;
    const orphaned = firing.value.node !== null;
    const lost = this.#endOfOrphan(firing, job);
    if (lost !== null) return this.#track(runId, this.#settle(firing, 'lost', lost, crashesOf(firing)));
    const kill = view.kills.get(runId);
    if (kill)
      return this.#track(runId, this.#settle(firing, 'killed', killReason(kill.value), crashesOf(firing)));
    const verdict = this.#slots.judge(firing, job, clock.now());
    switch (verdict.act) {
      case 'claim':
        if (!this.#context.mayClaim()) return this.#queue.set(runId, clock.now() + RECHECK_MS);
        if (this.#room() < job.weight) return void this.#waitingForRoom.add(runId);
        return this.#track(runId, this.#claim(firing, entry, job, verdict.free, orphaned));
      case 'wait':
        this.#slots.wait(firing);
        return this.#queue.set(runId, clock.now() + (verdict.soon ? RECHECK_MS : WAIT_RECHECK_MS));
      case 'later':
        return this.#queue.set(runId, startTime(firing) + this.#staggerMs(this.#rank(firing)));
      case 'mark':
        return this.#track(runId, this.#markWaiting(firing, entry, verdict));
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

  #skip(firing: FiringEntry, { reason, provided }: Extract<Verdict, { act: 'skip' }>): Promise<void> {
    return this.#settle(firing, 'skipped', reason, firing.value.crashes, provided);
  }

  /** It is due, and it is not its turn: from now on it waits, whatever happens to the workers. */
  async #markWaiting(
    firing: FiringEntry,
    entry: JobEntry,
    { replaced, provided }: Extract<Verdict, { act: 'mark' }>,
  ): Promise<void> {
    const { keys, clock, random, submit, log } = this.#context;
    const txn = prepareWait(keys, {
      firing,
      jobRevision: entry.modRevision,
      ...{ replaced, provided },
      nowMs: clock.now(),
    });
    const { succeeded } = await persist(submit, txn, { clock, random, signal: this.#abort.signal });
    if (succeeded) log.info({ ...firingFacts(firing.id), replaces: replaced?.runId }, 'waits for its turn');
    this.#queue.set(firing.runId, clock.now() + SLOT_RECHECK_MS);
  }

  async #claim(
    firing: FiringEntry,
    entry: JobEntry,
    job: Job,
    free: FreeSlots,
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
      ...{ nodeId, worker, leaseId, ...free, afterCrash },
      nowMs: clock.now(),
    });
    this.#claiming += job.weight;
    this.#slots.claiming(firing, free);
    const sentMs = clock.monotonicMs();
    this.#sentMs.set(runId, sentMs);
    let result: ClaimResult;
    try {
      result = prepared.interpret(
        await persist(submit, prepared.txn, { clock, random, signal: this.#abort.signal }),
      );
    } finally {
      this.#claiming -= job.weight;
      this.#sentMs.delete(runId);
      this.#slots.claimed(runId);
      this.#claimTakesMs += SMOOTHING * (clock.monotonicMs() - sentMs - this.#claimTakesMs);
    }
    this.#context.observer?.claimAnswered?.(result.won ? 'won' : result.why);
    if (!result.won) return this.#afterLoss(firing, entry, job, result);
    const { fencingToken: revision } = result.claim;
    if (revision > this.#context.view.revision) this.#unseen.set(runId, { revision, sinceMs: sentMs });
    onClaimed(result.claim, job);
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
    if (loss.why === 'slot-taken' || loss.why === 'limit-taken') {
      const isOverlap = loss.why === 'slot-taken' && job.overlap.policy === 'skip';
      if (isOverlap && !isPromised(firing) && nowMs >= startTime(firing))
        return this.#skip(firing, this.#slots.allTaken(firing, job));
      this.#queue.set(runId, Math.max(nowMs + SLOT_RECHECK_MS, startTime(firing)));
      return;
    }
    // The mirror may already show what we lost against, or will soon.
    this.#slots.wait(firing);
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
    const { attempt, node, origin, rerunOf } = firing.value;
    return {
      ...emptyRecord(outcome, reason, clock.now()),
      attempts: attempt,
      crashes,
      nodeId: node ?? nodeId,
      worker: node === null ? worker : workerNameOf(node),
      manual: origin === 'manual',
      rerunOf,
    };
  }

  /** Ends a firing that will not run (any more). */
  async #settle(
    firing: FiringEntry,
    outcome: Outcome,
    reason: string,
    crashes: number,
    provided: readonly Compare[] = [],
  ): Promise<void> {
    const { keys, clock, random, submit, log, view } = this.#context;
    const record = this.#recordOf(firing, outcome, reason, crashes);
    const txn = prepareSettle(keys, firing, record, provided);
    const result = await persist(submit, txn, { clock, random, signal: this.#abort.signal });
    if (result.succeeded) {
      this.#context.observer?.runRecorded?.(outcome);
      log.warn({ ...firingFacts(firing.id), outcome, reason }, 'ended without a run');
    } else if (view.firings.get(firing.runId) === firing) {
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
    const [lock, now] = (
      await store.txn({ compare: [], success: [get(keys.lock(id)), get(keys.firing(id))] })
    ).results.map((result) => (result.type === 'get' ? result.kvs[0] : undefined));
    // Ended, or changed, and the mirror is behind: it will show.
    if (now?.modRevision !== modRevision || view.firings.get(runId) !== firing) return;
    if (lock && lock.leaseId !== leaseId) throw new Error('the lock of our claim is in other hands');
    const abandon = view.jobs.get(id.job)?.job?.recovery === 'abandon';
    log.warn(
      { ...firingFacts(id), lock: lock !== undefined },
      'a claim in our name that we do not run; handing it back',
    );
    if (!lock && abandon) return this.#settle(firing, 'lost', UNKNOWN_END, value.crashes);
    const { slot, limitSlots } = value;
    const held = { id, fencingToken: lock?.createRevision ?? 0, slot, limitSlots };
    const { txn, outcome } = abandon
      ? prepareEnd(keys, held, this.#recordOf(firing, 'lost', UNKNOWN_END, value.crashes))
      : prepareHandBack(keys, held, { ...value, node: null, slot: null, limitSlots: null });
    const compare = [...txn.compare, modifiedAt(keys.firing(id), modRevision)];
    const result = await persist(submit, { ...txn, compare }, { clock, random, signal: this.#abort.signal });
    if (result.succeeded && outcome !== null) this.#context.observer?.runRecorded?.(outcome);
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

/** With the one that an orphan ended in. */
function crashesOf({ value }: FiringEntry): number {
  return value.crashes + (value.node === null ? 0 : 1);
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
