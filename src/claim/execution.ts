/**
 * One claimed firing on this node, from the claim to its end.
 *
 *     waiting ──due──▶ running ──process tree gone──▶ finishing ──▶ done
 *        │ given back (drain, job edited) · cancelled (job deleted) · killed before it began ──────────▲
 *
 * Invariants
 * - The process starts only at or after its time on this node's wall clock, and only while the session is trusted.
 * - When trust ends, a `rerun` process is killed before the lease can be gone, so that the next attempt never runs beside
 *   it. An `abandon` process goes on; nobody will start that firing again.
 * - Every end is a transaction on our lock. When the lock is not ours any more the result is not ours to write; a late
 *   result of an `abandon` run amends the `lost` record that somebody else wrote.
 */
import type { Clock } from '../clock.js';
import { formatDuration } from '../duration.js';
import { messageOf } from '../errors.js';
import { firingFacts, formatRunId, type Keys } from '../etcd/keys.js';
import type { Store, Txn, TxnResult } from '../etcd/store.js';
import { emptyRecord, type Outcome, type RunRecord } from '../history/run-record.js';
import { scheduleOf, type Job } from '../jobs/index.js';
import type {
  PreparedTask,
  PrepareTask,
  RunContext,
  RunEnding,
  RunningTask,
  RunResult,
} from '../run/executor.js';
import { lastStart } from '../plan/start-deadline.js';
import { exitOf, judge } from '../run/judge.js';
import { retryDelayMs } from '../run/retry-delay.js';
import type { WorkerWatch } from '../run/watchdog/worker-watch.js';
import type { Logger } from '../telemetry/logger.js';
import type { FiringRecord } from '../view/firing-record.js';
import type { JobEntry } from '../view/job-entry.js';
import type { Claim } from './claim-txn.js';
import {
  prepareEnd,
  prepareHandBack,
  takingBackCount,
  type HeldClaim,
  type PreparedFinish,
} from './finish-txn.js';
import { amendLost } from './late-result.js';
import { persist } from './persist.js';
import type { AttemptFacts, RunObserver, StartKind } from './run-observer.js';

/** Why we ended a process ourselves. */
export type StopReason = 'trust-lost' | 'shutdown' | 'kill-request';

export interface ExecutionContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly nodeId: string;
  readonly worker: string;
  readonly killGraceMs: number;
  readonly maxCrashes: number;
  /** Group commit. */
  readonly submit: (txn: Txn) => Promise<TxnResult>;
  readonly prepareTask: PrepareTask;
  /** Ends our processes when we cannot. */
  readonly watchdog?: WorkerWatch | undefined;
  readonly observer?: RunObserver | undefined;
  readonly isTrusted: () => boolean;
  /** For how much longer, ms. */
  readonly trustedForMs?: (() => number) | undefined;
  /** The wall clock can be relied upon; otherwise nothing is started by it. */
  readonly isClockRight: () => boolean;
  /** Aborted when the session that holds the lock has ended: the lock is gone. */
  readonly sessionEnded: AbortSignal;
  /** Aborted when the node stops for good. */
  readonly stopped: AbortSignal;
  /** Aborted with either of the two: nothing can be written for this claim any more. */
  readonly over: AbortSignal;
  /** Asks to be called (`tryStart`) at that wall time. */
  readonly callAt: (runId: string, atMs: number) => void;
}

const RETRY_START_MS = 50;

export class Execution {
  readonly runId: string;
  readonly claim: Claim;
  readonly job: Job;
  /** Resolves when nothing more will be written for this claim and its process tree is gone. Never rejects. */
  readonly done: Promise<void>;
  readonly #context: ExecutionContext;
  /** Made when something is to be said: a run that says nothing need not pay for it. */
  #ownLog: Logger | null = null;
  readonly #prepared: PreparedTask;
  readonly #startAtMs: number;
  /** The first attempt of a run of the schedule does not start after this. */
  readonly #lastStartMs: number;
  #state: 'waiting' | 'running' | 'finishing' | 'done' = 'waiting';
  #running: RunningTask | null = null;
  #latenessMs: number | null = null;
  /** Who asked for the end, and why. */
  #killedBy: string | null = null;
  /** While it ran. */
  #trustWasLost = false;
  #resolveDone!: () => void;

  constructor(context: ExecutionContext, claim: Claim, job: Job) {
    this.#context = context;
    this.claim = claim;
    this.job = job;
    this.runId = formatRunId(claim.id);
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    const due = new Date(claim.id.dueMs).toISOString();
    this.#startAtMs = Math.max(claim.id.dueMs, claim.firing.notBefore ?? -Infinity);
    const isFirst = claim.before.attempt === 0 && claim.firing.origin === 'schedule';
    const lastMs = isFirst ? lastStart(job, () => scheduleOf(job), claim.id.dueMs) : null;
    this.#lastStartMs = lastMs ?? Infinity;
    this.#prepared = context.prepareTask(
      {
        task: job.task,
        secrets: job.secrets,
        timezone: job.timezone,
        previousDueMs: () => scheduleOf(job).previous(claim.id.dueMs),
        timeoutMs: job.timeoutMs,
        killGraceMs: context.killGraceMs,
        outlivesWorker: job.recovery === 'abandon',
        nodeId: context.nodeId,
        identity: {
          job: claim.id.job,
          dueIso: due,
          attempt: claim.firing.attempt,
          runId: this.runId,
          fencingToken: String(claim.fencingToken),
          everywhere: claim.firing.only,
          rerunOf: claim.firing.rerunOf,
        },
      },
      this.#runContext(),
    );
  }

  /** The node id under whose session the claim was made. */
  get nodeId(): string {
    return this.#context.nodeId;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Starts the process if its time has come and the session is trusted; asks to be called again otherwise. */
  tryStart(): void {
    const { clock, isTrusted, isClockRight, sessionEnded, callAt, watchdog } = this.#context;
    if (this.#state !== 'waiting') return;
    if (sessionEnded.aborted) return this.#finished();
    const nowMs = clock.now();
    if (nowMs < this.#startAtMs) return callAt(this.runId, this.#startAtMs);
    if (!isTrusted()) return callAt(this.runId, nowMs + RETRY_START_MS);
    if (!isClockRight()) return this.giveBack();
    if (nowMs > this.#lastStartMs) return this.#missed(nowMs);
    this.#state = 'running';
    const { marker, hasProcesses, startsElsewhere } = this.#prepared;
    const { recovery } = this.job;
    if (hasProcesses)
      watchdog?.runStarting({ marker, recovery, ...(startsElsewhere ? { startsElsewhere } : {}) });
    const running = (this.#running = this.#prepared.start(() => this.#mayStartForMs()));
    if (running.begun === undefined) this.#began(running);
    else void running.begun.then((begun) => begun && this.#began(running));
    void running.result.then((result) => {
      if (hasProcesses) watchdog?.runEnded(marker);
      return result.ending.kind === 'not-started' ? this.#neverBegan() : this.#ended(result);
    });
  }

  /** Its process is there, or could not be started. */
  #began({ pid, processGroupId, startTicks, startedAtMs }: RunningTask): void {
    const { watchdog, observer } = this.#context;
    const { marker } = this.#prepared;
    if (processGroupId !== null) {
      const ticks = startTicks === undefined ? {} : { startTicks };
      watchdog?.runStarted({ marker, processGroupId, ...ticks });
    }
    this.#latenessMs = startedAtMs - this.#startAtMs;
    if (this.#says('info')) this.#log.info({ pid, latenessMs: this.#latenessMs }, 'started');
    observer?.runStarted?.(this.#facts, this.#latenessMs, this.#startKind);
  }

  /** How much longer its process may begin, if it has not. */
  #mayStartForMs(): number {
    const { clock, isTrusted, isClockRight, trustedForMs } = this.#context;
    if (!isTrusted() || !isClockRight()) return 0;
    return Math.min(trustedForMs?.() ?? Infinity, this.#lastStartMs - clock.now());
  }

  /** Nothing ran, and its time to start is over. */
  #neverBegan(): void {
    const nowMs = this.#context.clock.now();
    if (nowMs > this.#lastStartMs) return this.#missed(nowMs);
    this.#state = 'waiting';
    this.giveBack();
  }

  /** Too late to begin, by its job's `startDeadline`. */
  #missed(nowMs: number): void {
    this.#state = 'finishing';
    const { dueMs } = this.claim.id;
    const late = formatDuration(nowMs - this.#startAtMs);
    const reason = `not started within ${formatDuration(this.job.startDeadlineMs ?? 0)} (startDeadline): its worker came to it ${late} late`;
    const record = {
      ...this.#unstarted('missed', reason),
      missed: { from: dueMs, through: dueMs, count: 1, atLeast: false },
    };
    this.#log.warn({ lateByMs: nowMs - this.#startAtMs }, 'missed: too late to start');
    void this.#finish(this.#uncounted(prepareEnd(this.#keys, this.#held, record)), 'missed');
  }

  /** The session is not trusted any more: the lease may soon be somebody else's chance. */
  trustLost(): void {
    if (this.#state === 'running') this.#trustWasLost = true;
    if (this.job.recovery === 'rerun') this.#running?.kill('trust-lost' satisfies StopReason, 0);
  }

  /** The lease is gone. What has not started never will. */
  sessionEnded(): void {
    this.trustLost();
    if (this.#state === 'waiting') this.#finished();
  }

  /** A durable request to end this run. */
  killRequested(reason: string): void {
    if (this.#state === 'waiting') {
      this.#state = 'finishing';
      const record = this.#unstarted('killed', reason);
      void this.#finish(prepareEnd(this.#keys, this.#held, record), 'killed');
    } else {
      this.#killedBy ??= reason;
      this.#running?.kill('kill-request' satisfies StopReason);
    }
  }

  /** Ends the process so that another worker can go on with the firing. */
  shutDown(graceMs: number): void {
    if (this.#state === 'waiting') this.giveBack();
    else this.#running?.kill('shutdown' satisfies StopReason, graceMs);
  }

  /** Returns a claim that has not started, as if it had never been made (but a crash that it found stays counted). */
  giveBack(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'finishing';
    const { crashes } = this.claim.firing;
    const firing: FiringRecord = { ...this.claim.before, crashes, node: null, slot: null, limitSlots: null };
    void this.#finish(this.#uncounted(prepareHandBack(this.#keys, this.#held, firing)), 'given back');
  }

  /** The job was edited or deleted while this claim waits for its time. */
  jobChanged(entry: JobEntry | undefined): void {
    if (this.#state !== 'waiting') return;
    const { firing, before } = this.claim;
    if (before.attempt === 0 && firing.origin === 'schedule') {
      // Only the leader voids: it knows whether the changed schedule asks for this due time, too.
      if (entry?.wantedFingerprint !== firing.fingerprint) this.giveBack();
    } else if (entry === undefined) {
      this.#state = 'finishing';
      const record = this.#unstarted('cancelled', 'the job was deleted');
      void this.#finish(prepareEnd(this.#keys, this.#held, record), 'cancelled');
    }
  }

  get #log(): Logger {
    const { log, nodeId } = this.#context;
    const { id, firing } = this.claim;
    return (this.#ownLog ??= log.child({ ...firingFacts(id), node: nodeId, attempt: firing.attempt }));
  }

  #runContext(): RunContext {
    const getLog = (): Logger => this.#log;
    return {
      clock: this.#context.clock,
      get log() {
        return getLog();
      },
    };
  }

  #says(level: 'debug' | 'info'): boolean {
    return this.#context.log.isLevelEnabled(level);
  }

  get #keys(): Keys {
    return this.#context.keys;
  }

  get #facts(): AttemptFacts {
    const { id, firing, fencingToken } = this.claim;
    return { runId: this.runId, job: id.job, dueMs: id.dueMs, attempt: firing.attempt, fencingToken };
  }

  get #startKind(): StartKind {
    const { origin, misfire, waiting, attempt } = this.claim.before;
    if (attempt > 0) return 'retry';
    if (origin === 'manual') return 'manual';
    if (misfire) return 'misfire';
    return waiting ? 'queued' : 'on_schedule';
  }

  get #held(): HeldClaim {
    const { slot, limitSlots } = this.claim.firing;
    return { id: this.claim.id, fencingToken: this.claim.fencingToken, slot, limitSlots };
  }

  /** What has not begun does not count towards the job's `maxRuns`. */
  #uncounted(prepared: PreparedFinish): PreparedFinish {
    const { counted } = this.claim;
    return counted === null ? prepared : takingBackCount(this.#keys, this.#held, prepared, counted);
  }

  async #ended(result: RunResult): Promise<void> {
    this.#state = 'finishing';
    const { ending } = result;
    const stop = this.#stopReasonOf(ending);
    const { outcome, reason: judged } = judge(this.job.task, result);
    const reason = stop === 'kill-request' ? this.#killedBy : judged;
    const record = this.#record(outcome, reason, result);
    const facts = {
      outcome,
      exitCode: record.exitCode,
      signal: record.signal,
      durationMs: record.durationMs,
    };
    const { observer } = this.#context;
    const isRerun = this.job.recovery === 'rerun';
    const isLost = ending.kind === 'lost' && isRerun;
    const isOthers = stop === 'trust-lost' || isLost || (stop === 'shutdown' && isRerun);
    if (isOthers) observer?.runEnded?.(this.#facts, record, 'handed-over');
    if (stop === 'trust-lost')
      return this.#afterCrash(record, 'killed: the lease could not be renewed in time');
    if (isLost) return this.#afterCrash(record, `lost: ${reason}`);
    if (isOthers) {
      this.#log.info(facts, 'ended by the shutdown of this worker; another one goes on');
      return this.#finish(prepareHandBack(this.#keys, this.#held, this.#freed()), 'handed over');
    }
    const delayMs = outcome === 'failed' || outcome === 'timed_out' ? this.#retryDelay(ending) : null;
    if (delayMs !== null) {
      this.#log.warn({ ...facts, reason, retryInMs: delayMs }, 'attempt failed; it will be tried again');
      observer?.runEnded?.(this.#facts, record, 'retry');
      const notBefore = this.#context.clock.now() + delayMs;
      return this.#finish(
        prepareHandBack(this.#keys, this.#held, {
          ...this.#freed(),
          notBefore,
          lastWorker: this.#context.worker,
        }),
        'to be retried',
      );
    }
    const isGood = outcome === 'succeeded';
    if (!isGood || this.#says('info'))
      this.#log[isGood ? 'info' : 'warn']({ ...facts, reason, latenessMs: record.latenessMs }, 'finished');
    observer?.runEnded?.(this.#facts, record, 'recorded');
    return this.#finish(prepareEnd(this.#keys, this.#held, record), outcome, record);
  }

  #stopReasonOf(ending: RunEnding): StopReason | null {
    if (ending.kind === 'killed') return ending.reason as StopReason;
    // After a freeze we may see the end that the watchdog made before we see that trust has ended.
    const killed = ending.kind === 'signalled' && ending.signal === 'SIGKILL';
    const untrusted = this.#trustWasLost || !this.#context.isTrusted();
    return killed && untrusted && this.job.recovery === 'rerun' ? 'trust-lost' : null;
  }

  /** Killed by ourselves, or by the watchdog, because trust ended; or nobody knows how it ended. When the lease lives on after all, the firing is ours to hand back. */
  async #afterCrash(record: RunRecord, what: string): Promise<void> {
    this.#log.warn(what);
    const crashes = this.claim.firing.crashes + 1;
    if (crashes >= this.#context.maxCrashes) {
      const lost = {
        ...record,
        outcome: 'lost' as const,
        crashes,
        reason: `given up: ${crashes} attempts were lost with their workers`,
      };
      return this.#finish(prepareEnd(this.#keys, this.#held, lost), 'lost');
    }
    return this.#finish(
      prepareHandBack(this.#keys, this.#held, { ...this.#freed(), crashes }),
      'handed back',
    );
  }

  #retryDelay(ending: RunEnding): number | null {
    const { attempt, crashes } = this.claim.firing;
    const exitCode = ending.kind === 'exited' ? ending.exitCode : null;
    return retryDelayMs(this.job.retries, { runId: this.runId, failedAttempts: attempt - crashes, exitCode });
  }

  #freed(): FiringRecord {
    return { ...this.claim.firing, node: null, slot: null, limitSlots: null, notBefore: null };
  }

  #record(outcome: Outcome, reason: string | null, result: RunResult | null): RunRecord {
    const { clock, worker, nodeId } = this.#context;
    const { attempt, crashes, origin, rerunOf } = this.claim.firing;
    const exit = result && exitOf(result);
    return {
      ...emptyRecord(outcome, reason, clock.now()),
      attempts: attempt,
      crashes,
      worker,
      nodeId,
      fencingToken: String(this.claim.fencingToken),
      manual: origin === 'manual',
      rerunOf,
      exitCode: exit?.exitCode ?? null,
      signal: exit?.signal ?? null,
      startedAt: result?.startedAtMs ?? null,
      endedAt: result?.endedAtMs ?? null,
      durationMs: result && Math.round(result.durationMs),
      latenessMs: this.#latenessMs,
      stdout: result?.stdout ?? null,
      stderr: result?.stderr ?? null,
    };
  }

  /** The claim did not become an attempt. */
  #unstarted(outcome: Outcome, reason: string): RunRecord {
    return { ...this.#record(outcome, reason, null), attempts: this.claim.before.attempt };
  }

  /** Writes the end, for as long as the lock can be ours. `record` is given when a late result would be worth telling. */
  async #finish(prepared: PreparedFinish, what: string, record?: RunRecord): Promise<void> {
    const { submit, clock, random, sessionEnded, stopped, over, store, observer } = this.#context;
    try {
      let sent = prepared;
      let written = await persist(submit, sent.txn, { clock, random, signal: over });
      for (let next = sent.again?.(written); next; next = sent.again?.(written)) {
        sent = next;
        written = await persist(submit, sent.txn, { clock, random, signal: over });
      }
      const result = sent.interpret(written);
      if (result === 'done') {
        if (prepared.outcome !== null) observer?.runRecorded?.(prepared.outcome);
        if (this.#says('debug')) this.#log.debug({ as: what }, 'the claim ended');
        return;
      }
      this.#log.warn({ as: what }, 'the lock is not ours any more; what happened is not ours to write');
    } catch (error) {
      if (sessionEnded.aborted) this.#log.warn({ as: what }, 'the lease ended before the result was written');
      else this.#log.error({ as: what, err: messageOf(error) }, 'the result could not be written');
    } finally {
      // Room for the next run; a late result may take its time.
      this.#finished();
    }
    if (record && this.job.recovery === 'abandon') {
      await amendLost(
        { store, keys: this.#keys, clock, random, signal: stopped, log: this.#log },
        this.claim,
        record,
      );
    }
  }

  #finished(): void {
    this.#state = 'done';
    this.#resolveDone();
  }
}
