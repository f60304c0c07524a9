/**
 * Cleans up after a worker that cannot do it itself: one that was killed outright (SIGKILL, out of memory) or that
 * froze (SIGSTOP, swapping). A small process beside the worker, in a session of its own, holds the other end of a pipe
 * through which the worker tells which processes it runs and until when it trusts its lease.
 *
 *     the worker …           the watchdog …
 *     stops in order         is told, and exits
 *     dies (the pipe ends)   kills its launcher (which may hold orders, and be frozen) and sees that it is gone, then does the
 *                            same with the process trees of its `rerun` runs, *then* revokes the
 *                            lease: the next attempt starts within a fraction of a second, and never beside the first
 *     freezes                kills the trees of `rerun` runs a moment after the end of trust, where a worker that is awake
 *                            has done so itself; the lease is left alone
 *
 * Why a freeze does not revoke: from here it looks the same as an etcd that is out of reach. Trust ends in both, but the
 * lease may live on: a restarted etcd gives leases their time again, and the worker then goes on with the claims of
 * its `abandon` runs. A revocation that gets through first would make them `lost`. It would win little: a frozen worker renews
 * nothing, so its lease ends by itself one margin after the end of trust (15 % of the TTL).
 *
 * `abandon` runs are never told to the watchdog: such a process may go on after its worker and is never started again.
 *
 * Invariants
 * - A run is told before its process exists, in a write that reaches the kernel before the spawn. See
 *   `../end-tree.ts` for how its processes are known, and strangers with a reused id spared.
 * - Safety never rests on the watchdog. A worker that is awake keeps to the trust window by itself; without a
 *   watchdog a dead worker's lease expires, and its commands may outlive it. So does what happens when both are killed.
 * - The watchdog never holds the worker up. When it does not read, the worker stops telling it piece by piece, and tells
 *   the whole state when it reads again; one that stays stuck or ends is replaced by another.
 * - The watchdog ends: after "done", or after its work, or when the lease has expired anyway.
 *
 * Secrets (the password of etcd, the key) go through the pipe only.
 */
import { Backoff } from '../../backoff.js';
import { sleep, type Clock, type Timer } from '../../clock.js';
import type { Service } from '../../service.js';
import type { Logger } from '../../telemetry/logger.js';
import { machineMonotonicMs } from '../machine-time.js';
import { readProcess } from '../process-table.js';
import type { EtcdConnection, Message } from './messages.js';
import { SidecarProcess } from './sidecar-process.js';
import { WatchedState } from './watched-state.js';
import type { LauncherWatch, SessionFacts, WorkerWatch } from './worker-watch.js';

export interface WatchdogOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
  readonly connection: EtcdConnection;
  /** Of the watchdog's own lines, on the worker's stderr. Default `json`. */
  readonly logFormat?: 'json' | 'pretty';
  /** It ended unasked, and another one is to take its place. */
  readonly onReplaced?: (() => void) | undefined;
  /** The program of the watchdog; the compiled one of this package by default. */
  readonly entry?: string;
}

const READY_LIMIT_MS = 30_000;
const STUCK_AFTER_MS = 5_000;
const STOP_LIMIT_MS = 2_000;
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 30_000;
/** One that lived so long was no failed start. */
const HEALTHY_AFTER_MS = 60_000;

export class Watchdog implements Service, WorkerWatch, LauncherWatch {
  readonly #options: WatchdogOptions;
  readonly #state = new WatchedState();
  readonly #stopped = new AbortController();
  readonly #backoff: Backoff;
  #sidecar: SidecarProcess | null = null;
  /** Not sent yet; null when the sidecar is behind and will be told everything. */
  #outbox: Message[] | null = [];
  #flushDue = false;
  #stuckTimer: Timer | null = null;
  #supervising: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#backoff = new Backoff(FIRST_RESTART_MS, MAX_RESTART_MS, options.random);
  }

  /** Of the process that watches now; null when none does. */
  get pid(): number | null {
    return this.#sidecar?.pid ?? null;
  }

  /**
   * Resolves when the watchdog watches, or when its first start has failed: a worker works without one, and it is tried
   * again. Never rejects.
   */
  start(): Promise<void> {
    if (this.#stopping !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#supervising ??= this.#supervise(resolve).finally(resolve);
    });
  }

  /** For a worker that has stopped in order: whatever still runs is left alone. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#end());
  }

  setSession({ leaseId, ttlMs, trustedUntilMs }: SessionFacts): void {
    const isNew = leaseId !== this.#state.lease?.leaseId;
    const remainingMs = trustedUntilMs - this.#options.clock.monotonicMs();
    this.#tell({ type: 'lease', leaseId, ttlMs, trustedUntilMs: machineMonotonicMs() + remainingMs });
    if (isNew) this.flush();
  }

  clearSession(): void {
    const { lease } = this.#state;
    if (lease !== null) this.#tell({ type: 'lease', ...lease, leaseId: null });
  }

  runStarting({ marker, recovery, startsElsewhere }: Parameters<WorkerWatch['runStarting']>[0]): void {
    if (recovery !== 'rerun') return;
    this.#tell({ type: 'starting', marker });
    if (!startsElsewhere) this.flush();
  }

  runStarted({ marker, processGroupId, ...known }: Parameters<WorkerWatch['runStarted']>[0]): void {
    if (!this.#state.runs.has(marker)) return;
    const { startTicks = startTicksOf(processGroupId) } = known;
    this.#tell({ type: 'started', marker, group: { id: processGroupId, startTicks } });
  }

  runEnded(marker: string): void {
    if (this.#state.runs.has(marker)) this.#tell({ type: 'ended', marker });
  }

  launcherStarted({ marker, group }: Parameters<LauncherWatch['launcherStarted']>[0]): void {
    this.#tell({ type: 'launcher', marker, group });
    this.flush();
  }

  launcherEnded(marker: string): void {
    this.#tell({ type: 'launcher-ended', marker });
  }

  /** Keeps it in mind, and sends it with everything else of this turn of the event loop. */
  #tell(message: Message): void {
    this.#state.apply(message);
    if (this.#sidecar === null || this.#outbox === null) return;
    this.#outbox.push(message);
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(() => {
      this.#flushDue = false;
      this.flush();
    });
  }

  flush(): void {
    const messages = this.#outbox;
    if (this.#sidecar === null || messages === null || messages.length === 0) return;
    this.#outbox = [];
    this.#send(this.#sidecar, messages);
  }

  #send(sidecar: SidecarProcess, messages: readonly Message[]): void {
    const state = sidecar.send(messages, () => {
      if (sidecar !== this.#sidecar) return;
      this.#stuckTimer?.cancel();
      this.#send(sidecar, this.#state.snapshot());
    });
    if (state === 'sent') {
      this.#outbox = [];
      return;
    }
    this.#outbox = null;
    this.#stuckTimer?.cancel();
    this.#stuckTimer = this.#options.clock.setTimer(STUCK_AFTER_MS, () => {
      this.#options.log.warn({ pid: sidecar.pid }, 'the watchdog does not read; replacing it');
      sidecar.kill();
    });
  }

  async #supervise(onReady: () => void): Promise<void> {
    const { clock, log, connection, logFormat = 'json', entry } = this.#options;
    while (!this.#isStopped()) {
      const startedMs = clock.monotonicMs();
      const sidecar = new SidecarProcess(entry);
      this.#sidecar = sidecar;
      this.#send(sidecar, [{ type: 'settings', connection, logFormat }, ...this.#state.snapshot()]);
      const readyTimer = clock.setTimer(READY_LIMIT_MS, () => sidecar.kill());
      void sidecar.ready.then((ready) => {
        readyTimer.cancel();
        if (ready) log.debug({ pid: sidecar.pid }, 'the watchdog watches');
        onReady();
      });
      const reason = await sidecar.ended;
      readyTimer.cancel();
      this.#stuckTimer?.cancel();
      this.#sidecar = null;
      if (this.#isStopped()) return;
      if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) this.#backoff.reset();
      const pauseMs = this.#backoff.nextMs();
      this.#options.onReplaced?.();
      log.warn({ pid: sidecar.pid, reason }, 'the watchdog ended; starting another one');
      await sleep(clock, pauseMs, this.#stopped.signal).catch(() => undefined);
    }
  }

  async #end(): Promise<void> {
    this.#stopped.abort(new Error('the watchdog was stopped'));
    const sidecar = this.#sidecar;
    if (sidecar !== null) {
      sidecar.send([{ type: 'done' }], () => undefined);
      sidecar.endInput();
      const timer = this.#options.clock.setTimer(STOP_LIMIT_MS, () => sidecar.kill());
      await sidecar.ended;
      timer.cancel();
    }
    await this.#supervising;
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }
}

/** null where it cannot be found out: no `/proc`, or the process has ended already. */
function startTicksOf(pid: number): number | null {
  try {
    return readProcess(pid)?.startTicks ?? null;
  } catch {
    return null;
  }
}
