/**
 * One life of a node: one session, one node id, and all that hangs on them: its `workers/` key, its candidacy, its
 * leadership, its claims. When the lease is gone the life is over and the node begins another; the mirrors, what
 * is known of others' clocks, and the processes still running belong to the node and pass from one life to the next.
 *
 * While somebody asks this worker to drain (`drain/<name>`), it says so, claims nothing, gives back what has not started, lets
 * what runs go on, and leads only where no active worker is there. All of that follows from the mirrored key, so that it
 * holds from the first moment of a life, and ends when the key is gone.
 */
import { setMaxListeners } from 'node:events';
import { sleep, type Clock, type Timer } from '../clock.js';
import { messageOf } from '../errors.js';
import { Claimer } from '../claim/claimer.js';
import type { Executions, SessionPart } from '../claim/executions.js';
import { persist } from '../claim/persist.js';
import { Election } from '../election/election.js';
import { ownFitness, type UnderPolicy } from './own-fitness.js';
import { makeNodeId, workerRecordSchema, type WorkerRecord } from '../election/worker-record.js';
import type { Keys } from '../etcd/keys.js';
import { encodeRecord } from '../etcd/record.js';
import { Session } from '../etcd/session.js';
import type { Store } from '../etcd/store.js';
import { StoreError } from '../etcd/store-error.js';
import { put } from '../etcd/txn.js';
import { TxnBatcher } from '../etcd/txn-batcher.js';
import { printable } from '../jobs/printable.js';
import { Leadership } from '../plan/leadership.js';
import type { Standby } from '../plan/standby.js';
import type { WorkerWatch } from '../run/watchdog/worker-watch.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, ViewChanges } from '../view/cluster-view.js';
import { isActive } from '../view/eligibility.js';
import type { ClockGuard } from './clock-guard.js';
import type { NodeObserver } from './node-observer.js';
import type { NodeOptions } from './options.js';

/** For how long a leader that was asked to hand over, and all but the worker that it is to be, leave the office to others. */
const HAND_OVER_PATIENCE_MS = 3_000;
const MAX_LOGGED_LENGTH = 200;
/** A node that joins others waits for so many of their clocks … */
const CLOCKS_AWAITED = 2;
/** … but no longer than this: some may be dead, and not yet known to be. */
const AWAIT_CLOCKS_MS = 2_500;

export interface IncarnationContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly standby: Standby;
  readonly options: NodeOptions;
  readonly watchdog?: WorkerWatch | undefined;
  readonly executions: Executions;
  readonly clockGuard: ClockGuard;
  /** Where the HTTP API of this worker is; null: it has none. */
  readonly api: () => string | null;
  readonly underPolicy: () => UnderPolicy;
  /** Aborted when the node stops for good. */
  readonly stopped: AbortSignal;
  /** The lease is gone. */
  readonly onEnded: (nodeId: string) => void;
  readonly observer?: NodeObserver | undefined;
}

export class Incarnation {
  readonly nodeId: string;
  readonly #context: IncarnationContext;
  readonly #session: Session;
  readonly #log: Logger;
  readonly #election: Election;
  readonly #claimer: Claimer;
  readonly #part: SessionPart;
  readonly #ended = new AbortController();
  readonly #startedAtMs: number;
  #clockTimer: Timer | null = null;
  #awaitTimer: Timer | null = null;
  /** What was last said of our clock. */
  #skewed = false;
  /** When this life no longer waits for the clocks of others, on the monotonic clock. */
  #clocksAwaitedUntilMs = 0;
  readonly #unsubscribe: (() => void)[] = [];
  #leadership: Leadership | null = null;
  #stoppingLeadership: Promise<void> = Promise.resolve();
  /** It stops. */
  #draining = false;
  /** What was last said of a request to drain. */
  #drained = false;
  /** Until when it leaves the office to others, on the monotonic clock. */
  #handedOverUntilMs = 0;

  private constructor(context: IncarnationContext, session: Session) {
    const { store, keys, clock, random, view, options, executions, observer } = context;
    this.#context = context;
    this.#session = session;
    this.#startedAtMs = clock.now();
    this.nodeId = makeNodeId(options.name, random);
    this.#log = context.log.child({ node: this.nodeId });
    const batcher = new TxnBatcher(store);
    const isTrusted = (): boolean => session.isTrusted();
    const isClockRight = (): boolean => this.#isClockRight();
    const { nodeId } = this;
    // One for the whole life: Node keeps something of each combined signal for as long as its sources live.
    const over = AbortSignal.any([this.#ended.signal, context.stopped]);
    // Each claim that ends while etcd does not answer listens.
    setMaxListeners(0, over);
    const base = { store, keys, clock, random, log: this.#log, view, nodeId };
    this.#part = {
      nodeId,
      isTrusted,
      trustedForMs: () => session.trustedUntilMs - clock.monotonicMs(),
      isClockRight,
      sessionEnded: this.#ended.signal,
      over,
      submit: (txn) => batcher.submit(txn),
    };
    this.#election = new Election({
      ...base,
      name: options.name,
      session,
      isFit: () => this.#mayLead(),
      patienceMs: () => this.#patienceMs(),
      observe: () => ({ office: view.leader, revision: view.revision }),
      onElected: (term) => {
        this.#leadership = new Leadership(
          {
            ...base,
            options,
            standby: context.standby,
            housekeeping: options.housekeeping,
            isLeader: () =>
              this.#election.isLeader() && this.#election.term?.createRevision === term.createRevision,
            onFenced: () => this.#election.reportFenced(),
            onWritten: observer?.written && ((operations) => observer.written?.(operations)),
          },
          term,
        );
        this.#leadership.start();
        observer?.elected?.(this.nodeId);
      },
      onDeposed: (reason) => {
        this.#stopLeadershipSoon();
        observer?.deposed?.(this.nodeId, reason);
      },
    });
    this.#claimer = new Claimer({
      ...base,
      options,
      worker: options.name,
      leaseId: session.leaseId,
      isTrusted: () => isTrusted() && isClockRight(),
      mayClaim: () => !this.#isDrained,
      mayRun: ownFitness(options, context.underPolicy),
      submit: (txn) => batcher.submit(txn),
      room: () => options.capacity - executions.weight,
      isHeld: (runId) => executions.has(runId),
      observer,
      onClaimed: (claim, job) => {
        executions.add(this.#part, claim, job, this.#draining || this.#isDrained);
      },
    });
  }

  /** Opens a session, registers the worker and takes up work. Rejects when etcd grants no lease. */
  static async begin(context: IncarnationContext): Promise<Incarnation> {
    const { store, clock, random, log, options } = context;
    const session = await Session.open(store, clock, { ttlMs: options.leaseTtlMs, random, log });
    const incarnation = new Incarnation(context, session);
    try {
      await incarnation.#start();
    } catch (error) {
      // It may listen and have timers already.
      await incarnation.end(true);
      throw error;
    }
    return incarnation;
  }

  isLeader(): boolean {
    return this.#election.isLeader();
  }

  /** The lease is gone; also when that happened before `begin` was done, and nobody could be told. */
  get isOver(): boolean {
    return this.#session.ended;
  }

  /** For how much longer the lease may be relied upon, ms. */
  get trustRemainingMs(): number {
    return this.#session.trustRemainingMs();
  }

  /** Names of the jobs that no worker can run, while this node leads. */
  get unplaceableJobs(): Iterable<string> {
    return this.#leadership?.unplaceableJobs ?? [];
  }

  planNow(): void {
    this.#leadership?.poke();
  }

  /** A run of this process is over. */
  roomFreed(runId: string): void {
    this.#claimer.roomFreed(runId);
  }

  /** Hands the leadership over, claims no more and gives back what has not started. Never rejects. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    // Others should stop counting on us first; that this may fail must not keep us from stopping.
    const registered = this.#register().catch((error: unknown) => {
      this.#log.debug({ err: messageOf(error) }, 'could not announce the drain');
    });
    const stopped = this.#claimer.stop();
    for (const execution of this.#context.executions.all()) execution.giveBack();
    await Promise.all([registered, this.#stopLeadership().then(() => this.#election.resign()), stopped]);
  }

  /** Ends the session; with `revoke` its keys go at once, without it when the lease expires. Never rejects. */
  async end(revoke: boolean): Promise<void> {
    this.#clockTimer?.cancel();
    this.#awaitTimer?.cancel();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#ended.abort(new Error('the session ended'));
    this.#stopLeadershipSoon();
    const stopping = [this.#claimer.stop(), this.#election.stop(), this.#stoppingLeadership];
    if (revoke) await this.#session.close();
    else if (!this.#session.ended) await this.#session.leave();
    this.#context.watchdog?.clearSession();
    await Promise.all(stopping);
  }

  async #start(): Promise<void> {
    const { view, executions, onEnded } = this.#context;
    const session = this.#session;
    this.#tellWatchdog();
    this.#unsubscribe.push(
      session.onRenewed(() => this.#tellWatchdog()),
      // Before our own key appears, which makes the others say at once what their clocks show.
      view.onChange((changes) => this.#observeClocks(changes)),
    );
    const { clock } = this.#context;
    this.#clocksAwaitedUntilMs = clock.monotonicMs() + AWAIT_CLOCKS_MS;
    this.#awaitTimer = clock.setTimer(AWAIT_CLOCKS_MS, () => this.#lookAgain());
    // What earlier lives have seen may tell already.
    this.#judgeClock();
    this.#judgeDrain();
    await this.#register();
    this.#publishClockLater();
    this.#unsubscribe.push(
      session.onTrustLost(() => {
        this.#context.observer?.trustLost?.(this.nodeId);
        for (const execution of executions.all()) if (execution.nodeId === this.nodeId) execution.trustLost();
      }),
      session.onTrustRegained(() => {
        this.#election.poke();
        this.#leadership?.poke();
      }),
      session.onEnded(() => {
        this.#ended.abort(new Error('the lease is gone'));
        for (const execution of executions.all())
          if (execution.nodeId === this.nodeId) execution.sessionEnded();
        onEnded(this.nodeId);
      }),
      view.onChange((changes) => this.#onView(changes)),
    );
    await this.#election.start();
    await this.#claimer.start();
    this.#log.info({ leaseId: session.leaseId, ttlMs: session.ttlMs }, 'worker is ready');
  }

  // ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A node that joins waits a moment for the clocks of those that are there. */
  #isClockRight(): boolean {
    const { clock, clockGuard } = this.#context;
    return (
      (clock.monotonicMs() >= this.#clocksAwaitedUntilMs || this.#knowsEnoughClocks()) && clockGuard.isRight()
    );
  }

  #knowsEnoughClocks(): boolean {
    const { view, clockGuard, options } = this.#context;
    const others = new Set([...view.workers.values()].map(({ value }) => value.name));
    others.delete(options.name);
    return clockGuard.known >= Math.min(others.size, CLOCKS_AWAITED);
  }

  #observeClocks(changes: ViewChanges): void {
    const { view, clockGuard } = this.#context;
    let joined = false;
    let isNews = false;
    for (const [nodeId, before] of changes.workers) {
      if (nodeId === this.nodeId) continue;
      const now = view.workers.get(nodeId);
      if (now === undefined) clockGuard.gone(nodeId);
      isNews ||= now === undefined || clockGuard.known < CLOCKS_AWAITED;
      // What a listing shows may be as old as the interval.
      if (now !== undefined && now.value.clock !== null && !changes.relisted) {
        clockGuard.observe(now.value.name, nodeId, now.value.clock);
        joined ||= before === undefined;
      }
    }
    if (joined) this.#publishClock();
    if (changes.workers.size > 0) this.#judgeClock();
    if (isNews) this.#lookAgain();
  }

  #publishClockLater(): void {
    const { clock, options } = this.#context;
    this.#clockTimer?.cancel();
    if (this.#ended.signal.aborted) return;
    this.#clockTimer = clock.setTimer(options.clockIntervalMs, () => {
      this.#judgeClock();
      this.#publishClock();
    });
  }

  /** What the others know of this worker has changed. */
  announce(): void {
    this.#publishClock();
  }

  #publishClock(): void {
    this.#publishClockLater();
    if (!this.#session.isTrusted()) return;
    void this.#register().catch((error: unknown) => {
      this.#log.debug({ err: messageOf(error) }, 'could not publish the clock');
    });
  }

  /** Acts, and says so loudly, when our clock went wrong or became right. */
  #judgeClock(): void {
    const skewed = !this.#context.clockGuard.isRight();
    if (skewed === this.#skewed) return;
    this.#skewed = skewed;
    const skewMs = Math.round(this.#context.clockGuard.skewMs() ?? 0);
    const { maxClockSkewMs } = this.#context.options;
    if (skewed) {
      this.#log.error(
        { skewMs, maxClockSkewMs },
        "this node's clock is off the others': it neither leads nor claims until that is mended (is NTP running?)",
      );
      for (const execution of this.#context.executions.all()) execution.giveBack();
      void this.#election.stepDown('the clock is off');
    } else {
      this.#log.warn({ skewMs }, "this node's clock is right again");
      this.#lookAgain();
    }
    this.#publishClock();
  }

  #lookAgain(): void {
    if (this.#draining || this.#ended.signal.aborted) return;
    this.#election.poke();
    this.#leadership?.poke();
    this.#claimer.reconsiderAll();
  }

  // ── requests to drain, and to hand over ─────────────────────────────────────────────────────────────────────────

  get #isDrained(): boolean {
    const { view, options } = this.#context;
    return view.drains.has(options.name);
  }

  /** A drained one leads only where nobody else does: then due times are at least accounted for. */
  #mayLead(): boolean {
    return this.#isClockRight() && !(this.#isDrained && this.#hasActiveOther());
  }

  #hasActiveOther(): boolean {
    const { view } = this.#context;
    return [...view.workers].some(
      ([nodeId, { value }]) => nodeId !== this.nodeId && isActive(value) && !view.drains.has(value.name),
    );
  }

  #judgeDrain(): void {
    const drained = this.#isDrained;
    if (drained === this.#drained) return;
    this.#drained = drained;
    const { view, options, executions } = this.#context;
    if (drained) {
      const { by, reason } = view.drains.get(options.name)!.value;
      this.#log.warn(
        { by: shown(by), reason: shown(reason) },
        'asked to drain: claims nothing, and lets what runs go on',
      );
      for (const execution of executions.all()) execution.giveBack();
    } else {
      this.#log.info('asked to drain no more: takes runs again');
      this.#lookAgain();
    }
    this.#publishClock();
  }

  /** What was claimed under the policy before goes back, unless it has begun; then everything is looked at anew. */
  policyChanged(): void {
    for (const execution of this.#context.executions.all()) execution.giveBack();
    this.#publishClock();
    this.#lookAgain();
  }

  #judgeOffice(): void {
    const { view, clock, keys } = this.#context;
    const { term } = this.#election;
    if (term === null) return;
    if (this.#isDrained && !this.#mayLead()) void this.#election.stepDown('drained');
    const { handover } = view;
    // An older one was for somebody else, and is removed by the housekeeping.
    if (handover.state !== 'present' || handover.modRevision < term.createRevision) return;
    const { by, to } = handover.value;
    if (to === this.#context.options.name) return;
    this.#log.warn({ by: shown(by), to: shown(to) }, 'asked to hand the leadership over');
    this.#handedOverUntilMs = clock.monotonicMs() + HAND_OVER_PATIENCE_MS;
    // Where it names the next leader, all have to see it; that one removes it.
    void this.#election.stepDown('handed over', to === null ? [keys.handover] : []);
  }

  #patienceMs(): number {
    const { view, clock, options } = this.#context;
    if (clock.monotonicMs() < this.#handedOverUntilMs) return HAND_OVER_PATIENCE_MS;
    const to = view.handover.state === 'present' ? view.handover.value.to : null;
    return to === null || to === options.name ? 0 : HAND_OVER_PATIENCE_MS;
  }

  #tellWatchdog(): void {
    const { leaseId, ttlMs, trustedUntilMs } = this.#session;
    this.#context.watchdog?.setSession({ leaseId, ttlMs, trustedUntilMs });
  }

  #onView(changes: ViewChanges): void {
    if (changes.drains.size > 0) this.#judgeDrain();
    if (changes.drains.size > 0 || (this.#drained && changes.workers.size > 0)) this.#election.poke();
    this.#judgeOffice();
    if (changes.leader) this.#election.poke();
    // Somebody deleted our key by hand, while our lease and our locks stand; or they are gone before their time.
    if (
      changes.workers.has(this.nodeId) &&
      !this.#context.view.workers.has(this.nodeId) &&
      this.#session.isTrusted()
    ) {
      this.#log.warn('our worker key was removed or broken; putting it back');
      void this.#register().catch((error: unknown) => {
        this.#log.warn({ err: messageOf(error) }, 'could not register');
        if (error instanceof StoreError && error.code === 'ETCRON_LEASE_LOST') this.#session.reportGone();
      });
    }
  }

  async #register(): Promise<void> {
    const { store, keys, clock, random, options } = this.#context;
    const { name, host, pid, version, capacity, handlers = [] } = options;
    const { labels, policy } = this.#context.underPolicy();
    const record: WorkerRecord = {
      ...{ name, host, pid, version, capacity, labels: { ...labels } },
      handlers: [...handlers].sort(),
      state: this.#draining || this.#isDrained ? 'draining' : 'active',
      startedAt: this.#startedAtMs,
      clock: clock.now(),
      skewed: this.#skewed,
      api: this.#context.api(),
      ...(policy === undefined ? {} : { policy }),
    };
    const text = encodeRecord(workerRecordSchema, record);
    const txn = { compare: [], success: [put(keys.worker(this.nodeId), text, this.#session.leaseId)] };
    const timeout = new AbortController();
    void sleep(clock, options.leaseTtlMs, timeout.signal).then(
      () => timeout.abort(new Error('etcd did not take the registration in time')),
      () => undefined,
    );
    try {
      const signal = AbortSignal.any([this.#ended.signal, timeout.signal]);
      await persist((one) => store.txn(one), txn, { clock, random, signal });
    } finally {
      timeout.abort(new Error('registered'));
    }
  }

  #stopLeadershipSoon(): void {
    const leadership = this.#leadership;
    this.#leadership = null;
    if (leadership)
      this.#stoppingLeadership = Promise.all([this.#stoppingLeadership, leadership.stop()]).then(
        () => undefined,
      );
  }

  #stopLeadership(): Promise<void> {
    this.#stopLeadershipSoon();
    return this.#stoppingLeadership;
  }
}

/** What somebody wrote into a request goes into the log, but not a megabyte of it. */
function shown(text: string | null): string | null {
  return text === null ? null : printable(text.slice(0, MAX_LOGGED_LENGTH));
}
