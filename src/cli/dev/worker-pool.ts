/**
 * The worker processes of `etcron dev`, by name. One that ends by itself, or is killed by somebody who wants to see what
 * happens, is replaced after a while under the same name.
 *
 *     running ──ends──▶ waiting (replaceAfterMs) ──▶ running again       stop(), endNow() ──▶ all ended, none replaced
 */
import { sleep, type Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { WorkerExit, WorkerProcess } from './worker-process.js';

export interface WorkerPoolOptions {
  readonly names: readonly string[];
  /** Null: the dead stay dead. */
  readonly replaceAfterMs: number | null;
  readonly clock: Clock;
  readonly startWorker: (name: string) => Promise<WorkerProcess>;
  /** A worker ended that nobody here stopped. */
  readonly onDied: (worker: WorkerProcess, exit: WorkerExit) => void;
  readonly onReplaced: (worker: WorkerProcess) => void;
  /** A replacement could not be started; it is tried again. */
  readonly onProblem: (name: string, message: string) => void;
}

/** A drain may take the worker's grace for running commands and that for killing them, and some writes. */
const DRAIN_LIMIT_MS = 60_000;
/** Between the signals of a stop at once: SIGTERM, SIGTERM (it then kills its commands), SIGKILL. */
const SECOND_SIGNAL_MS = 1_000;
const KILL_MS = 3_000;
/** At least so long between two tries to start a process that the system refuses. */
const MIN_RETRY_MS = 1_000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Map<string, WorkerProcess>();
  readonly #stopping = new AbortController();
  readonly #replacing = new Set<Promise<void>>();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Those that live. */
  get workers(): readonly WorkerProcess[] {
    return [...this.#workers.values()];
  }

  /** Starts all of them. Rejects, with none left, when one cannot be started. */
  async start(): Promise<void> {
    try {
      for (const name of this.#options.names) await this.#startOne(name);
    } catch (error) {
      await this.endNow();
      throw error;
    }
  }

  /** Lets all of them drain at the same time. Resolves when they are gone, within a bound. */
  async stop(): Promise<void> {
    const gone = this.#allGone();
    for (const worker of this.workers) worker.signal('SIGTERM');
    await this.#unlessWithin(DRAIN_LIMIT_MS, gone, () => void this.endNow());
    await gone;
  }

  /** Ends them and the commands that they run, whatever they are doing. */
  async endNow(): Promise<void> {
    const gone = this.#allGone();
    const signalAll = (signal: NodeJS.Signals): void => {
      for (const worker of this.workers) worker.signal(signal);
    };
    signalAll('SIGTERM');
    await this.#unlessWithin(SECOND_SIGNAL_MS, gone, () => signalAll('SIGTERM'));
    await this.#unlessWithin(KILL_MS, gone, () => signalAll('SIGKILL'));
    await gone;
  }

  async #allGone(): Promise<void> {
    this.#stopping.abort(new Error('the workers are being stopped'));
    await Promise.all(this.#replacing);
    await Promise.all(this.workers.map((worker) => worker.exited));
  }

  async #unlessWithin(limitMs: number, done: Promise<void>, otherwise: () => void): Promise<void> {
    const timeout = new AbortController();
    const late = sleep(this.#options.clock, limitMs, timeout.signal).then(otherwise, () => undefined);
    await Promise.race([done, late]);
    timeout.abort(new Error('done'));
  }

  async #startOne(name: string): Promise<WorkerProcess> {
    const worker = await this.#options.startWorker(name);
    this.#workers.set(name, worker);
    void worker.exited.then((exit) => this.#ended(worker, exit));
    if (this.#stopping.signal.aborted) worker.signal('SIGTERM');
    return worker;
  }

  #ended(worker: WorkerProcess, exit: WorkerExit): void {
    this.#workers.delete(worker.name);
    if (this.#stopping.signal.aborted) return;
    this.#options.onDied(worker, exit);
    const { replaceAfterMs } = this.#options;
    if (replaceAfterMs === null) return;
    const replacing = this.#replace(worker.name, replaceAfterMs).finally(() =>
      this.#replacing.delete(replacing),
    );
    this.#replacing.add(replacing);
  }

  /** Never rejects; ends when the replacement runs, or none is wanted any more. */
  async #replace(name: string, afterMs: number): Promise<void> {
    const { clock, onReplaced, onProblem } = this.#options;
    const { signal } = this.#stopping;
    for (let waitMs = afterMs; ; waitMs = Math.max(afterMs, MIN_RETRY_MS)) {
      await sleep(clock, waitMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        onReplaced(await this.#startOne(name));
        return;
      } catch (error) {
        onProblem(name, messageOf(error));
      }
    }
  }
}
