/** Real worker processes on the etcd of the benchmark, under a key prefix of their own. */
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { leaderRecordSchema } from '../src/election/leader-record.js';
import { workerNameOf } from '../src/election/worker-record.js';
import { spawnGuarded } from '../src/etcd/embedded/guarded-process.js';
import { EtcdStore } from '../src/etcd/etcd-store.js';
import { Keys, parseRunId } from '../src/etcd/keys.js';
import { listRange } from '../src/etcd/listing.js';
import { decodeRecord } from '../src/etcd/record.js';
import { prefixRange, singleKey } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';
import { WORKERS, type ScenarioContext } from './scenario.js';

const READY_WITHIN_MS = 60_000;
const PLANNED_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 60_000;
const POLL_MS = 50;
const JOBS_PER_TXN = 100;
const KEPT_LINES = 20;
/** Of each worker, when it is about what happened and not about a start that failed. */
const TOLD_LINES = 2;

export const PROFILED_WORKER = 'w-1';

/** What a scenario may change about its workers. */
export interface WorkerSetup {
  /** Before the program. */
  readonly nodeArgs?: readonly string[];
  readonly env?: (name: string) => NodeJS.ProcessEnv;
}

export interface BenchWorker {
  readonly name: string;
  readonly pid: number;
}

interface WorkerProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Of its output, those that were kept included. */
  lineCount: number;
  readonly ended: Promise<void>;
}

export class BenchCluster {
  readonly keys: Keys;
  readonly store: EtcdStore;
  /** Complete once the workers have ended; null: none is taken. */
  readonly profileFile: string | null;
  readonly #context: ScenarioContext;
  readonly #setup: WorkerSetup;
  readonly #workers: WorkerProcess[] = [];
  /** Of the workers above, those that were killed on purpose. */
  readonly #killed = new Set<WorkerProcess>();

  private constructor(context: ScenarioContext, prefix: string, setup: WorkerSetup) {
    this.#context = context;
    this.#setup = setup;
    this.keys = new Keys(prefix);
    const { profileDir } = context;
    this.profileFile = profileDir === null ? null : join(profileDir, `${prefix.slice(1)}.cpuprofile`);
    this.store = new EtcdStore({ endpoints: [new URL(context.etcd.endpoint).host] });
  }

  /** Starts the workers and waits until all are registered and one of them leads. */
  static async start(
    context: ScenarioContext,
    prefix: string,
    setup: WorkerSetup = {},
  ): Promise<BenchCluster> {
    const cluster = new BenchCluster(context, prefix, setup);
    try {
      await cluster.complete();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Starts as many workers as are missing, and waits until all are registered and one of them leads. */
  async complete(): Promise<void> {
    while (this.#live.length < WORKERS) this.#startWorker(this.#workers.length + 1);
    await this.#ready();
  }

  /** Those that were not killed. */
  get workers(): BenchWorker[] {
    return this.#live.map(({ name, child }) => ({ name, pid: child.pid! }));
  }

  get pids(): number[] {
    return this.workers.map(({ pid }) => pid);
  }

  /** The worker that leads; null between two terms. */
  async leader(): Promise<BenchWorker | null> {
    const { kvs } = await this.store.range(singleKey(this.keys.leader));
    const record = kvs[0] && decodeRecord(leaderRecordSchema, kvs[0]);
    return this.workers.find(({ name }) => record?.ok && record.value.name === name) ?? null;
  }

  /** SIGKILL, for the worker alone or with its watchdog first; returns the moment before the first signal (wall clock, ms). */
  kill({ pid }: BenchWorker, watchdogPid: number | null = null): number {
    const worker = this.#live.find(({ child }) => child.pid === pid)!;
    this.#killed.add(worker);
    // Frozen, it cannot start another watchdog, nor can its watchdog act, before both are gone.
    if (watchdogPid !== null) for (const one of [watchdogPid, pid]) process.kill(one, 'SIGSTOP');
    const atMs = Date.now();
    if (watchdogPid !== null) process.kill(watchdogPid, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    return atMs;
  }

  /** The etcd revision now. */
  async revision(): Promise<number> {
    return (await this.store.range(singleKey(this.keys.leader))).revision;
  }

  /**
   * Puts `count` jobs `<label>-<number>` that run `/bin/true` on `schedule`, or what `more` says; returns their names.
   */
  async putJobs(
    count: number,
    schedule: string,
    more: Readonly<Record<string, unknown>> = {},
    label = 'job',
  ): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${label}-${String(index).padStart(5, '0')}`);
    const definition = JSON.stringify({ schedule, command: ['/bin/true'], overlap: 'allow', ...more });
    for (let from = 0; from < count; from += JOBS_PER_TXN) {
      const success = names
        .slice(from, from + JOBS_PER_TXN)
        .map((name) => put(this.keys.job(name), definition));
      await this.store.txn({ compare: [], success });
    }
    return names;
  }

  /** Waits until each of the jobs has a firing that is yet to come; returns how long that took, in ms. */
  async allPlanned(jobs: readonly string[]): Promise<number> {
    const startMs = performance.now();
    for (;;) {
      const { kvs } = await listRange(this.store, prefixRange(this.keys.firings), {
        pageSize: 10_000,
        keysOnly: true,
      });
      const ids = [...kvs.keys()].map((key) => parseRunId(key.slice(this.keys.firings.length)));
      const coming = new Set(ids.flatMap((id) => (id !== null && id.dueMs > Date.now() ? [id.job] : [])));
      const tookMs = performance.now() - startMs;
      if (jobs.every((job) => coming.has(job))) return tookMs;
      if (tookMs > PLANNED_WITHIN_MS)
        throw new Error(`only ${coming.size} of ${jobs.length} jobs were planned in time`);
      await sleep(POLL_MS);
    }
  }

  /** What a worker said: at this log level, only what is not in order. */
  complaints(): string[] {
    return this.#workers.flatMap(({ name, lines, lineCount }) => {
      const told = lines.slice(0, TOLD_LINES).map((line) => `${name}: ${line}`);
      return lineCount > told.length ? [...told, `${name}: … ${lineCount - told.length} more lines`] : told;
    });
  }

  /** Lets the workers drain, and ends those that take too long. Idempotent. */
  async stop(): Promise<void> {
    for (const { child } of this.#workers) child.kill('SIGTERM');
    const timeout = new AbortController();
    const late = sleep(STOP_WITHIN_MS, undefined, { signal: timeout.signal }).then(
      () => this.#workers.forEach(({ child }) => child.kill('SIGKILL')),
      () => undefined,
    );
    await Promise.all(this.#workers.map(({ ended }) => ended));
    timeout.abort();
    await late;
    await this.store.close();
  }

  #startWorker(number: number): void {
    const { program, etcd } = this.#context;
    const name = `w-${number}`;
    const profile =
      this.profileFile !== null && name === PROFILED_WORKER
        ? [
            '--cpu-prof',
            '--cpu-prof-dir',
            dirname(this.profileFile),
            '--cpu-prof-name',
            basename(this.profileFile),
          ]
        : [];
    const where = ['--endpoints', new URL(etcd.endpoint).host, '--prefix', this.keys.prefix];
    const child = spawnGuarded(
      process.execPath,
      [
        ...profile,
        ...(this.#setup.nodeArgs ?? []),
        program,
        'worker',
        '--name',
        name,
        ...where,
        '--log-format',
        'json',
        '--log-level',
        'warn',
      ],
      // In a folder without a configuration file.
      { env: { ...ownEnvironment(), ...this.#setup.env?.(name) }, cwd: etcd.dataDir, stopWhenOrphaned: true },
    );
    const lines: string[] = [];
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const worker: WorkerProcess = { name, child, lines, lineCount: 0, ended };
    this.#workers.push(worker);
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        worker.lineCount += 1;
        if (lines.length < KEPT_LINES) lines.push(line);
      });
    }
    child.on('error', (error) => lines.push(error.message));
  }

  get #live(): WorkerProcess[] {
    return this.#workers.filter((worker) => !this.#killed.has(worker));
  }

  async #ready(): Promise<void> {
    const giveUpAt = performance.now() + READY_WITHIN_MS;
    for (;;) {
      const dead = this.#live.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
      if (dead) throw new Error(`worker ${dead.name} ended at its start:\n${dead.lines.join('\n')}`);
      const { kvs } = await this.store.range(prefixRange(this.keys.workers));
      const registered = new Set(kvs.map((kv) => workerNameOf(kv.key.slice(this.keys.workers.length))));
      const ready = this.#live.filter(({ name }) => registered.has(name)).length;
      if (ready === WORKERS && (await this.leader()) !== null) return;
      if (performance.now() > giveUpAt) {
        throw new Error(`${ready} of ${WORKERS} workers registered in time\n${this.complaints().join('\n')}`);
      }
      await sleep(POLL_MS);
    }
  }
}

/** Without settings of etcron, which would change what is measured. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCRON_')));
}
