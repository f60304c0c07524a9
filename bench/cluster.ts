/** Real worker processes on the etcd of the benchmark, under a key prefix of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
import { cursorRecordSchema, type CursorRecord } from '../src/view/cursor-record.js';
import { askForNotes, readNotes, type StartNote } from './notes.js';
import { WORKERS, type ScenarioContext } from './scenario.js';

const READY_WITHIN_MS = 60_000;
const PLANNED_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 60_000;
const POLL_MS = 50;
const JOBS_PER_TXN = 100;
const JOBS_PER_SLICE = 500;
const SLICE_AHEAD_MS = 5_000;
const KEPT_LINES = 20;
/** Of each worker, when it is about what happened and not about a start that failed. */
const TOLD_LINES = 2;

const HANDLER_WORKER = fileURLToPath(new URL('./handler-worker.js', import.meta.url));
/** Runs at once: no bound that a scenario could reach. */
const HANDLER_CAPACITY = '50000';

export const PROFILED_WORKER = 'w-1';

/** What a scenario may change about its workers. */
export interface WorkerSetup {
  /** How many; default 3. */
  readonly workers?: number;
  /**
   * `command`: the program `etcron worker` with its defaults. `handler`: a program with etcron as a library and one handler,
   * `noop`, whose notes the scenario reads.
   */
  readonly kind?: 'command' | 'handler';
  /** More flags for `etcron worker`. */
  readonly flags?: readonly string[];
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
  /** Of the workers above, those that were killed or stopped on purpose. */
  readonly #killed = new Set<WorkerProcess>();
  /** For the notes of handlers. */
  readonly #folder: string;
  /** The etcd revision of the last definition that was put. */
  #jobsRevision = 0;
  #stopping: Promise<void> | null = null;

  private constructor(context: ScenarioContext, prefix: string, setup: WorkerSetup, folder: string) {
    this.#context = context;
    this.#setup = setup;
    this.#folder = folder;
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
    const folder = await mkdtemp(join(tmpdir(), 'etcron-bench-'));
    const cluster = new BenchCluster(context, prefix, setup, folder);
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
    while (this.#live.length < this.#size) this.#startWorker();
    await this.#ready();
  }

  /** Starts one worker more, without waiting for anything. */
  add(flags: readonly string[] = []): BenchWorker {
    const { name, child } = this.#startWorker(flags);
    return { name, pid: child.pid! };
  }

  /** Has one worker drain and end. */
  async remove({ pid }: BenchWorker): Promise<void> {
    const worker = this.#live.find(({ child }) => child.pid === pid)!;
    this.#killed.add(worker);
    worker.child.kill('SIGTERM');
    await worker.ended;
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
   * Puts `count` jobs `<label>-<number>`, from the number `first` on, that do the work of these workers (`/bin/true`, or the
   * handler) on `schedule`, or what `more` says; returns their names.
   */
  async putJobs(
    count: number,
    schedule: string,
    more: Readonly<Record<string, unknown>> = {},
    label = 'job',
    first = 0,
  ): Promise<string[]> {
    const names = Array.from(
      { length: count },
      (_, index) => `${label}-${String(first + index).padStart(5, '0')}`,
    );
    await this.putDefinitions(names.map((name) => [name, { schedule, ...more }]));
    return names;
  }

  /**
   * As `putJobs`, a few at a time, each when the ones before are planned: for a load that goes on, and not what it is to begin
   * it at once. Gives up waiting after a while; `plannedThrough` tells.
   */
  async rampUp(
    count: number,
    schedule: string,
    more: Readonly<Record<string, unknown>> = {},
    first = 0,
  ): Promise<string[]> {
    const names: string[] = [];
    while (names.length < count) {
      const slice = Math.min(JOBS_PER_SLICE, count - names.length);
      names.push(...(await this.putJobs(slice, schedule, more, 'job', first + names.length)));
      if ((await this.plannedThrough(Date.now() + SLICE_AHEAD_MS)) === null) break;
    }
    return names;
  }

  /** Puts jobs by name; what they do not say, such as the work, is as with `putJobs`. */
  async putDefinitions(
    jobs: readonly (readonly [name: string, fields: Readonly<Record<string, unknown>>])[],
  ): Promise<void> {
    const work = this.#setup.kind === 'handler' ? { handler: 'noop' } : { command: ['/bin/true'] };
    for (let from = 0; from < jobs.length; from += JOBS_PER_TXN) {
      const success = jobs
        .slice(from, from + JOBS_PER_TXN)
        .map(([name, fields]) =>
          put(this.keys.job(name), JSON.stringify({ ...work, overlap: 'allow', ...fields })),
        );
      this.#jobsRevision = (await this.store.txn({ compare: [], success })).revision;
    }
  }

  /** Deletes all jobs whose names begin so. */
  async deleteJobs(beginning = ''): Promise<void> {
    const { start, end } = prefixRange(`${this.keys.jobs}${beginning}`);
    await this.store.txn({ compare: [], success: [{ type: 'delete', key: start, end }] });
  }

  /**
   * Waits until everything due up to `dueMs` of the jobs as they are now has been planned; returns how long that took, in ms,
   * or null when it took more than `withinMs`.
   */
  async plannedThrough(dueMs: number, withinMs = PLANNED_WITHIN_MS): Promise<number | null> {
    const startMs = performance.now();
    for (;;) {
      const cursor = await this.cursor();
      const tookMs = performance.now() - startMs;
      if (cursor !== null && cursor.jobsRevision >= this.#jobsRevision && cursor.plannedThrough.due >= dueMs)
        return tookMs;
      if (tookMs > withinMs) return null;
      await sleep(POLL_MS);
    }
  }

  /** How far the leader has planned. */
  async cursor(): Promise<CursorRecord | null> {
    const [kv] = (await this.store.range(singleKey(this.keys.cursor))).kvs;
    const cursor = kv && decodeRecord(cursorRecordSchema, kv);
    return cursor?.ok ? cursor.value : null;
  }

  /** What the handlers have noted up to now, of all workers, dead ones included (but for the last second of those that were killed). */
  async notes(): Promise<StartNote[]> {
    const all: StartNote[] = [];
    for (const worker of this.#workers) {
      const file = this.#notesFile(worker.name);
      const isUp = !this.#killed.has(worker) && this.#stopping === null;
      for (const note of isUp ? await askForNotes(file, worker.child.pid!) : (await readNotes(file)).notes)
        all.push(note);
    }
    return all;
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

  /** Lets the workers drain, and ends those that take too long; what they left in etcd can still be read. Idempotent. */
  stopWorkers(): Promise<void> {
    return (this.#stopping ??= this.#stopWorkers());
  }

  /** Stops the workers and lets go of everything. Idempotent. */
  async stop(): Promise<void> {
    await this.stopWorkers();
    await this.store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #stopWorkers(): Promise<void> {
    for (const { child } of this.#workers) child.kill('SIGTERM');
    const timeout = new AbortController();
    const late = sleep(STOP_WITHIN_MS, undefined, { signal: timeout.signal }).then(
      () => this.#workers.forEach(({ child }) => child.kill('SIGKILL')),
      () => undefined,
    );
    await Promise.all(this.#workers.map(({ ended }) => ended));
    timeout.abort();
    await late;
  }

  get #size(): number {
    return this.#setup.workers ?? WORKERS;
  }

  #notesFile(name: string): string {
    return join(this.#folder, `${name}.notes`);
  }

  #startWorker(flags: readonly string[] = []): WorkerProcess {
    const { etcd } = this.#context;
    const name = `w-${this.#workers.length + 1}`;
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
    const where = ['--name', name, '--endpoints', new URL(etcd.endpoint).host, '--prefix', this.keys.prefix];
    const child = spawnGuarded(
      process.execPath,
      [...profile, ...(this.#setup.nodeArgs ?? []), ...this.#programOf(name), ...where, ...flags],
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
    return worker;
  }

  #programOf(name: string): string[] {
    const { program } = this.#context;
    if (this.#setup.kind !== 'handler')
      return [program, 'worker', '--log-format', 'json', '--log-level', 'warn', ...(this.#setup.flags ?? [])];
    // The library that belongs to the program that is measured.
    const library = new URL('../index.js', pathToFileURL(program)).href;
    return [
      HANDLER_WORKER,
      '--library',
      library,
      '--notes',
      this.#notesFile(name),
      '--capacity',
      HANDLER_CAPACITY,
    ];
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
      if (ready === this.#live.length && (await this.leader()) !== null) return;
      if (performance.now() > giveUpAt) {
        throw new Error(
          `${ready} of ${this.#live.length} workers registered in time\n${this.complaints().join('\n')}`,
        );
      }
      await sleep(POLL_MS);
    }
  }
}

/** Without settings of etcron, which would change what is measured. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCRON_')));
}
