/**
 * One place where a worker runs: its links to the etcd members stay when the process is replaced, and so does its clock.
 *
 *     down ──start──▶ up ──kill, killWithWatchdog, stop──▶ down
 *                      └──freeze, freezeWithWatchdog──▶ (SIGSTOP) ──thaw──▶ up
 *
 * A worker that ends without having been told to is a problem that the run reports; but one that is started while etcd does
 * not answer says so and ends with 3, and is started again, like by any supervisor.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CATALOGUE, messageOf } from '../src/errors.js';
import {
  isAlive,
  launcherOf,
  spawnWorker,
  watchdogOf,
  type WorkerProcess,
} from '../test/support/worker-process.js';
import type { TcpLink } from '../test/support/tcp-link.js';
import type { MovableClock } from './faketime.js';

export interface MachineSetup {
  readonly name: string;
  /** One per etcd member. */
  readonly links: readonly TcpLink[];
  /** Null: the true time. */
  readonly clock: MovableClock | null;
  readonly program: string;
  readonly prefix: string;
  readonly folder: string;
  readonly onProblem: (text: string) => void;
}

const WORKER_ARGS = ['--drain-grace', '4s', '--kill-grace', '2s', '--log-level', 'info'];
const UNAVAILABLE = ERROR_CATALOGUE.ETCRON_ETCD_UNREACHABLE.exitCode;
/** The worker's own log line. */
const READY = '"msg":"worker is ready"';
const ROBBED = '"code":"ETCRON_LEASE_LOST","wasTrusted":true';
const RESTART_AFTER_MS = 1_000;
/** An orderly stop waits for commands, then ends them. */
const STOP_WITHIN_MS = 60_000;

export class Machine {
  readonly name: string;
  readonly links: readonly TcpLink[];
  readonly clock: MovableClock | null;
  /** A fault is at work here: no second one at the same time. */
  busy = false;
  /** Process ids of workers that were killed, or frozen, together with their watchdogs: nobody ended their commands. */
  readonly forsaken = new Set<number>();
  /** When workers were killed alone, by process id. */
  readonly killedAtMs = new Map<number, number>();
  /** All processes of its worker so far. */
  readonly pids: number[] = [];
  readonly #setup: MachineSetup;
  /** Starts that found no etcd that answers. */
  refusedStarts = 0;
  #worker: WorkerProcess | null = null;
  #restart: NodeJS.Timeout | undefined;
  readonly #stopped: number[] = [];
  readonly #logs = new Map<number, string>();

  constructor(setup: MachineSetup) {
    this.#setup = setup;
    this.name = setup.name;
    this.links = setup.links;
    this.clock = setup.clock;
  }

  get isUp(): boolean {
    return this.#worker !== null;
  }

  start(): void {
    clearTimeout(this.#restart);
    if (this.#worker) return;
    const { name, links, clock, program, prefix, folder, onProblem } = this.#setup;
    const worker = spawnWorker({
      ...{ program, name, prefix, folder, args: WORKER_ARGS },
      endpoints: links.map(({ address }) => address),
      logFile: join(folder, `${name}-${this.pids.length + 1}.log`),
      env: clock?.env ?? {},
    });
    this.#worker = worker;
    this.pids.push(worker.pid);
    this.#logs.set(worker.pid, worker.logFile);
    void worker.exited.then(({ code, signal }) => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      if (code === UNAVAILABLE && !worker.log().includes(READY)) this.#startSoon();
      else onProblem(`worker ${name} (${worker.logFile}) ended by itself: ${signal ?? `exit ${code}`}`);
    });
  }

  #startSoon(): void {
    this.refusedStarts += 1;
    this.#restart = setTimeout(() => this.start(), RESTART_AFTER_MS);
  }

  /** SIGKILL of the worker alone. */
  async kill(): Promise<void> {
    const worker = this.#release();
    this.killedAtMs.set(worker.pid, Date.now());
    worker.child.kill('SIGKILL');
    await worker.exited;
  }

  /** SIGKILL of both, the watchdog first: it could be quick. */
  async killWithWatchdog(): Promise<void> {
    const worker = this.#release();
    this.forsaken.add(worker.pid);
    this.#signalWatchdog(worker, 'SIGKILL');
    worker.child.kill('SIGKILL');
    await worker.exited;
  }

  killWatchdog(): void {
    this.#signalWatchdog(this.#up, 'SIGKILL');
  }

  killLauncher(): void {
    const launcher = launcherOf(this.#up);
    if (launcher !== null) signal(launcher, 'SIGKILL');
  }

  freezeLauncher(): void {
    const launcher = launcherOf(this.#up);
    if (launcher !== null) this.#stop(launcher);
  }

  /** The launcher first, so that it cannot do what its watchdog must. */
  async killWithLauncherFrozen(): Promise<void> {
    this.freezeLauncher();
    await this.kill();
  }

  freeze(): void {
    this.#stop(this.#up.pid);
  }

  freezeWatchdog(): void {
    const watchdog = watchdogOf(this.#up);
    if (watchdog !== null) this.#stop(watchdog);
  }

  /** The worker first: a watchdog that sees it frozen for long would do its work. */
  freezeWithWatchdog(): void {
    this.forsaken.add(this.#up.pid);
    this.freeze();
    this.freezeWatchdog();
  }

  thaw(): void {
    for (const pid of this.#stopped.splice(0)) signal(pid, 'SIGCONT');
  }

  /** SIGTERM, and waits for its end, which must be in order. */
  async stop(): Promise<void> {
    this.thaw();
    const worker = this.#release();
    worker.child.kill('SIGTERM');
    const timer = setTimeout(() => worker.child.kill('SIGKILL'), STOP_WITHIN_MS);
    const { code, signal: by } = await worker.exited;
    clearTimeout(timer);
    // Before it could listen to signals it had nothing to put in order either.
    const wasStarting = by === 'SIGTERM' && !worker.log().includes(READY);
    if (code !== 0 && !wasStarting)
      this.#setup.onProblem(`worker ${this.name} (${worker.logFile}) stopped with ${by ?? `exit ${code}`}`);
  }

  healLinks(): void {
    for (const link of this.links) link.heal();
  }

  /** When workers heard that etcd had ended a lease which it had renewed: by process id, the last time. */
  robbedAtMs(): Map<number, number> {
    const found = new Map<number, number>();
    for (const [pid, file] of this.#logs) {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
      for (const line of lines.filter((one) => one.includes(ROBBED))) {
        const { time } = JSON.parse(line) as { time: string };
        found.set(pid, Date.parse(time));
      }
    }
    return found;
  }

  /** Whatever happened: nothing of it is left. */
  async destroy(): Promise<void> {
    this.thaw();
    clearTimeout(this.#restart);
    const worker = this.#worker;
    this.#worker = null;
    if (worker && isAlive(worker)) {
      worker.child.kill('SIGKILL');
      await worker.exited;
    }
    await Promise.all(this.links.map((link) => link.stop()));
  }

  get #up(): WorkerProcess {
    if (!this.#worker) throw new Error(`${this.name} is down`);
    return this.#worker;
  }

  /** From now on its end is no surprise. */
  #release(): WorkerProcess {
    const worker = this.#up;
    this.#worker = null;
    return worker;
  }

  #signalWatchdog(worker: WorkerProcess, name: NodeJS.Signals): void {
    const watchdog = watchdogOf(worker);
    if (watchdog !== null) signal(watchdog, name);
  }

  #stop(pid: number): void {
    if (signal(pid, 'SIGSTOP')) this.#stopped.push(pid);
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw new Error(`could not send ${name} to ${pid}: ${messageOf(error)}`, { cause: error });
  }
}
