/**
 * A whole cluster for the tests of a program's own jobs: real nodes on an in-memory etcd and a clock that the test moves. Only
 * etcd, the time, and what commands do are replaced; handlers are really called.
 */
import { parseDuration, DURATION_HELP } from '../duration.js';
import { EtcronError } from '../errors.js';
import { Keys, parseRunId } from '../etcd/keys.js';
import { MAX_TXN_OPERATIONS } from '../etcd/store.js';
import { put, del } from '../etcd/txn.js';
import { encodeRecord } from '../etcd/record.js';
import { decodeRun, type Outcome } from '../history/run-record.js';
import { quote, serializeDefinition } from '../jobs/index.js';
import { toDefinedJob, type DefinedJob, type TaskJob } from '../library/define-job.js';
import type { EtcronNode } from '../library/create-node.js';
import { resolveOptions, type CreateNodeOptions } from '../library/options.js';
import { createRandom, type Random } from '../random.js';
import type { Logger, LogLevel } from '../telemetry/logger.js';
import { killRecordSchema } from '../view/kill-record.js';
import { FakeClock } from './fake-clock.js';
import type { FakeTask } from './fake-task.js';
import { MemoryEtcd } from './memory-etcd.js';
import { TestWorker } from './test-worker.js';

/** A worker of a test cluster. */
export interface TestWorkerOptions {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly capacity?: number;
}

/** What `createTestCluster` takes. */
export interface TestClusterOptions {
  readonly jobs?: readonly (DefinedJob | TaskJob)[];
  /** Handlers whose jobs are put there by `apply`, by name. */
  readonly handlers?: NonNullable<CreateNodeOptions['handlers']>;
  /** How many workers (`worker-1` …), or which; default 1. */
  readonly workers?: number | readonly (string | TestWorkerOptions)[];
  /** When the cluster's time begins; default 2026-01-01T00:00:00Z. */
  readonly start?: string | Date;
  /** Called instead of commands and requests; by default they succeed at once. */
  readonly commands?: FakeTask;
  /** Which of several workers runs what, and everything else that is random, follows from this; default 1. */
  readonly seed?: number;
  /** Default `silent`. */
  readonly log?: Logger | LogLevel;
  /**
   * How long, in real ms, time waits for a handler that neither ends nor sleeps by `run.sleep`; default 100. It waits for
   * as long as real work needs, such as a query, but not for ever for a handler that waits for its signal.
   */
  readonly patienceMs?: number;
}

/** How a firing ended. */
export interface TestRun {
  readonly runId: string;
  readonly job: string;
  readonly due: Date;
  readonly outcome: Outcome;
  /** Why, where the outcome alone does not say it. */
  readonly reason: string | null;
  readonly attempts: number;
  /** The worker of the last attempt. */
  readonly worker: string | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly durationMs: number | null;
  /** What its handler returned, as JSON, or what its command wrote. */
  readonly stdout: string;
  /** What its handler logged. */
  readonly stderr: string;
  /** Asked for by hand. */
  readonly manual: boolean;
  /** How many due times a `missed` record stands for; 1 for all others. */
  readonly count: number;
}

/** Nobody waits for the end of a lease here: whoever is killed gives it back. */
const LEASE_CHECK_MS = 24 * 3_600_000;
/** Revisions: what was long ago makes reading slower. */
const COMPACT_EVERY = 1_000;
const DEFAULT_START = '2026-01-01T00:00:00Z';
/** An orderly stop takes its graces. */
const STOP_LIMIT_MS = 24 * 3_600_000;

/** A cluster in memory. Made by {@link createTestCluster}. */
export class TestCluster {
  readonly #clock: FakeClock;
  readonly #etcd: MemoryEtcd;
  readonly #keys = new Keys('/cron');
  readonly #random: Random;
  readonly #options: TestClusterOptions;
  readonly #workers = new Map<string, TestWorker>();
  readonly #runs = new Map<string, TestRun>();
  #made = 0;

  /** @internal */
  constructor(options: TestClusterOptions) {
    this.#options = options;
    this.#clock = new FakeClock(timeOf(options.start ?? DEFAULT_START), 0);
    this.#random = createRandom(options.seed ?? 1);
    this.#etcd = new MemoryEtcd(this.#clock, { keepHistory: false, leaseCheckMs: LEASE_CHECK_MS });
    this.#etcd.observe(({ events, revision }) => {
      if (revision % COMPACT_EVERY === 0) this.#etcd.compact(revision - 1);
      for (const event of events)
        if (event.type === 'put' && event.kv.key.startsWith(this.#keys.runs)) this.#note(event.kv);
    });
  }

  /** The cluster's time. */
  get now(): Date {
    return new Date(this.#clock.now());
  }

  /** The workers that live, by name. */
  get workers(): string[] {
    return [...this.#workers.keys()];
  }

  /** The name of the worker that leads; null while none does. */
  get leader(): string | null {
    return [...this.#workers.values()].find(({ node }) => node.isLeader)?.name ?? null;
  }

  /** The node of a worker, such as for its events. Start and stop it by the cluster's methods. */
  node(worker: string): EtcronNode {
    return this.#worker(worker).node;
  }

  /** Lets time pass, by ms or a duration such as `1d`: everything that is due meanwhile happens, in its order. */
  async advance(duration: number | string): Promise<void> {
    await this.#clock.advance(lengthOf(duration));
    await this.#planNow();
  }

  /** Lets time pass up to a moment. */
  async advanceTo(time: string | Date): Promise<void> {
    const ms = timeOf(time);
    if (ms < this.#clock.now())
      throw new EtcronError(
        'ETCRON_USAGE',
        `${new Date(ms).toISOString()} is past: it is ${this.now.toISOString()}`,
      );
    await this.#clock.advanceTo(ms);
    await this.#planNow();
  }

  /** The runs that have ended, of one job or of all, by due time. */
  runs(job?: string): TestRun[] {
    return [...this.#runs.values()]
      .filter((run) => job === undefined || run.job === job)
      .sort((a, b) => a.due.getTime() - b.due.getTime() || (a.runId < b.runId ? -1 : 1));
  }

  /** Writes jobs as `etcron apply` does: new ones, and changed ones. */
  async apply(...jobs: (DefinedJob | TaskJob)[]): Promise<void> {
    const puts = jobs
      .map(toDefinedJob)
      .map(({ name, definition }) => put(this.#keys.job(name), serializeDefinition(definition)));
    await this.#planNow();
    for (let first = 0; first < puts.length; first += MAX_TXN_OPERATIONS)
      this.#etcd.txn({ compare: [], success: puts.slice(first, first + MAX_TXN_OPERATIONS) });
    await this.#clock.settle();
  }

  /** Deletes a job. */
  async remove(job: string): Promise<void> {
    await this.#planNow();
    this.#etcd.txn({ compare: [], success: [del(this.#keys.job(job))] });
    await this.#clock.settle();
  }

  /** Asks for a run now, as `etcron run` does. Resolves with its id, before it has run: `advance` a little. */
  async run(job: string): Promise<string> {
    const [worker] = this.#workers.values();
    if (!worker) throw new EtcronError('ETCRON_USAGE', 'no worker is there to ask');
    return this.#drive(worker.node.run(job));
  }

  /** Asks for the end of a run, as `etcron runs kill` does. */
  async killRun(runId: string, reason = 'the test asked for it'): Promise<void> {
    const record = encodeRecord(killRecordSchema, { by: 'the test', reason, at: this.#clock.now() });
    this.#etcd.txn({ compare: [], success: [put(this.#keys.kills + runId, record)] });
    await this.#clock.settle();
  }

  /** Starts another worker. */
  async addWorker(worker?: string | TestWorkerOptions): Promise<string> {
    const named = typeof worker === 'string' ? { name: worker } : worker;
    const { name, labels, capacity } = named ?? { name: `worker-${this.#made + 1}` };
    this.#made += 1;
    if (this.#workers.has(name))
      throw new EtcronError('ETCRON_USAGE', `there is a worker ${quote(name)} already`);
    const { jobs = [], handlers = {}, log = 'silent', commands = () => undefined } = this.#options;
    const added = new TestWorker({
      ...{ name, clock: this.#clock, etcd: this.#etcd, keys: this.#keys, fake: commands },
      patienceMs: this.#options.patienceMs ?? 100,
      random: this.#random.fork(`${name} ${this.#made}`),
      options: resolveOptions({
        ...{ name, jobs, handlers, log, watchdog: false },
        // The cluster writes them, when all workers are there.
        sync: false,
        ...(labels === undefined ? {} : { labels }),
        ...(capacity === undefined ? {} : { capacity }),
      }),
    });
    this.#workers.set(name, added);
    await this.#drive(added.node.start());
    return name;
  }

  /**
   * A worker dies at once, and with it what it runs; its lease goes with it, so that others take over at once. Its handlers
   * get their signals, since nothing in this process can end them.
   */
  async kill(worker: string): Promise<void> {
    const doomed = this.#worker(worker);
    this.#workers.delete(worker);
    doomed.kill();
    await this.#clock.settle();
  }

  /** A worker is stopped in order: it drains, for which time passes as it must. */
  async stop(worker: string): Promise<void> {
    const leaving = this.#worker(worker);
    await this.#drive(leaving.node.stop());
    this.#workers.delete(worker);
  }

  /** Ends all workers where they stand, without letting time pass. */
  async close(): Promise<void> {
    for (const name of this.workers) await this.kill(name);
  }

  /**
   * Leaders plan seldom here, and judge then what nobody started. A change counts from the last time at which the leader
   * planned. Let that be now.
   */
  async #planNow(): Promise<void> {
    for (const { node } of this.#workers.values()) node.planNow();
    await this.#clock.settle();
  }

  /** Lets time pass, step by step, as far as this needs it. */
  async #drive<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    done.catch(() => undefined);
    const endMs = this.#clock.now() + STOP_LIMIT_MS;
    await this.#clock.settle();
    while (!isDone && this.#clock.now() < endMs && (await this.#clock.step())) {
      // Each step is one timer.
    }
    return done;
  }

  #worker(name: string): TestWorker {
    const worker = this.#workers.get(name);
    if (worker) return worker;
    throw new EtcronError('ETCRON_USAGE', `there is no worker ${quote(name)}`, {
      hint: `There are ${this.workers.join(', ') || 'none'}.`,
    });
  }

  #note(kv: { readonly key: string; readonly value: Buffer }): void {
    const runId = kv.key.slice(this.#keys.runs.length);
    const id = parseRunId(runId);
    const record = decodeRun(kv);
    if (id === null || !record.ok) return;
    const { outcome, reason, attempts, worker, startedAt, endedAt, durationMs, manual } = record.value;
    const date = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
    this.#runs.set(runId, {
      ...{ runId, job: id.job, due: new Date(id.dueMs), outcome, reason, attempts, worker },
      ...{ startedAt: date(startedAt), endedAt: date(endedAt), durationMs, manual },
      stdout: record.value.stdout?.text ?? '',
      stderr: record.value.stderr?.text ?? '',
      count: record.value.missed?.count ?? 1,
    });
  }
}

/**
 * Starts a cluster whose time stands still at `start` until the test moves it:
 *
 * ```ts
 * const cluster = await createTestCluster({ jobs: [report], workers: 3, start: '2026-03-01T00:00:00Z' });
 * await cluster.advance('31d');
 * expect(cluster.runs('report')).toHaveLength(31);
 * await cluster.close();
 * ```
 */
export async function createTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = new TestCluster(options);
  const { workers = 1 } = options;
  const wanted =
    typeof workers === 'number'
      ? Array.from({ length: workers }, (_, index) => `worker-${index + 1}`)
      : workers;
  for (const worker of wanted) await cluster.addWorker(worker);
  await cluster.apply(...(options.jobs ?? []));
  return cluster;
}

function timeOf(time: string | Date): number {
  const ms = typeof time === 'string' ? Date.parse(time) : time.getTime();
  if (!Number.isNaN(ms)) return ms;
  throw new EtcronError('ETCRON_USAGE', `${quote(String(time))} is not a time`, {
    hint: 'Write it as 2026-01-01T00:00:00Z.',
  });
}

function lengthOf(duration: number | string): number {
  const ms = typeof duration === 'number' ? duration : parseDuration(duration);
  if (ms !== null && ms >= 0) return ms;
  throw new EtcronError('ETCRON_USAGE', `${quote(String(duration))} is not a duration`, {
    hint: DURATION_HELP,
  });
}
