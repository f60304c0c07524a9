/**
 * Real worker processes on a real etcd, each cluster under a prefix of its own. Commands write what they do to a file
 * that etcron knows nothing of; checks compare that file with etcron's records.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EtcdStore, type EtcdStoreOptions } from '../../src/etcd/etcd-store.js';
import { formatRunId, Keys, parseRunId } from '../../src/etcd/keys.js';
import { listRange } from '../../src/etcd/listing.js';
import { decodeRecord } from '../../src/etcd/record.js';
import { prefixRange, singleKey, type KeyRange, type KeyValue } from '../../src/etcd/store.js';
import { leaderRecordSchema } from '../../src/election/leader-record.js';
import { workerRecordSchema, type WorkerRecord } from '../../src/election/worker-record.js';
import { decodeRun, type RunRecord } from '../../src/history/run-record.js';
import { parseSchedule } from '../../src/schedule/index.js';
import { cursorRecordSchema } from '../../src/view/cursor-record.js';
import { decodeFiring, type FiringRecord } from '../../src/view/firing-record.js';
import { waitUntil } from './wait.js';
import { spawnWorker, type WorkerProcess } from './worker-process.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export type Worker = WorkerProcess;

/** One line that a command of a test wrote. */
export interface Evidence {
  readonly runId: string;
  readonly attempt: number;
  readonly token: number;
  readonly what: string;
  readonly atMs: number;
  readonly dueMs: number;
}

export interface ClusterOptions {
  endpoints: readonly string[];
  store?: Partial<EtcdStoreOptions>;
  /** Added to the arguments of `etcron worker`. */
  workerArgs?: readonly string[];
  /** The same for the worker of that name. */
  argsOf?: Readonly<Record<string, readonly string[]>>;
  env?: Record<string, string>;
}

let clusters = 0;

export class Cluster {
  readonly keys: Keys;
  readonly store: EtcdStore;
  readonly folder = mkdtempSync(join(tmpdir(), 'etcron-cluster-'));
  readonly evidenceFile = join(this.folder, 'evidence');
  readonly workers: Worker[] = [];
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
    clusters += 1;
    this.keys = new Keys(`/test-${process.pid}-${clusters}`);
    this.store = new EtcdStore({ endpoints: options.endpoints, ...options.store });
  }

  /** A shell command that notes a line with `what`, the time and who it is. */
  note(what: string): string {
    return `echo "$ETCRON_RUN_ID $ETCRON_ATTEMPT $ETCRON_FENCING_TOKEN ${what} $(date +%s%3N)" >> ${this.evidenceFile}`;
  }

  evidence(): Evidence[] {
    if (!existsSync(this.evidenceFile)) return [];
    const lines = readFileSync(this.evidenceFile, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => {
      const [runId = '', attempt, token, what = '', atMs] = line.split(' ');
      const dueMs = Date.parse(runId.slice(runId.indexOf('/') + 1).replace(/\+.*$/, ''));
      return { runId, attempt: Number(attempt), token: Number(token), what, atMs: Number(atMs), dueMs };
    });
  }

  /** Starts workers and waits until they are registered. */
  async start(...names: string[]): Promise<Worker[]> {
    const started = names.map((name) => this.#spawn(name));
    this.workers.push(...started);
    await waitUntil(
      async () => {
        for (const one of started)
          if (one.child.exitCode !== null) throw new Error(`it ended:\n${one.log()}`);
        const live = await this.liveWorkers();
        return names.every((name) => [...live.values()].some((worker) => worker.name === name));
      },
      { what: `workers ${names.join(', ')} to register`, timeoutMs: 60_000 },
    );
    return started;
  }

  async liveWorkers(): Promise<Map<string, WorkerRecord>> {
    const found = new Map<string, WorkerRecord>();
    for (const kv of await this.list(prefixRange(this.keys.workers))) {
      const record = decodeRecord(workerRecordSchema, kv);
      if (record.ok) found.set(kv.key.slice(this.keys.workers.length), record.value);
    }
    return found;
  }

  /** The worker process that leads. */
  async leader(): Promise<Worker> {
    return waitUntil(
      async () => {
        const [kv] = await this.list(singleKey(this.keys.leader));
        const record = kv && decodeRecord(leaderRecordSchema, kv);
        const name = record?.ok ? record.value.name : undefined;
        return this.workers.find((worker) => worker.name === name && worker.child.exitCode === null);
      },
      { what: 'a leader' },
    );
  }

  async putJob(name: string, definition: Record<string, unknown>): Promise<void> {
    const value = JSON.stringify(definition);
    await this.store.txn({ compare: [], success: [{ type: 'put', key: this.keys.job(name), value }] });
  }

  async records(job?: string): Promise<Map<string, RunRecord>> {
    const found = new Map<string, RunRecord>();
    for (const kv of await this.list(
      job === undefined ? prefixRange(this.keys.runs) : this.keys.runsOf(job),
    )) {
      // Not a record, whoever put it there.
      if (parseRunId(kv.key.slice(this.keys.runs.length)) === null) continue;
      const record = decodeRun(kv);
      if (!record.ok) throw new Error(`${kv.key}: ${record.problem}`);
      found.set(kv.key.slice(this.keys.runs.length), record.value);
    }
    return found;
  }

  async firings(job: string): Promise<Map<string, FiringRecord>> {
    const found = new Map<string, FiringRecord>();
    for (const kv of await this.list(this.keys.firingsOf(job))) {
      const record = decodeFiring(kv);
      if (record.ok) found.set(kv.key.slice(this.keys.firings.length), record.value);
    }
    return found;
  }

  async list(range: KeyRange): Promise<KeyValue[]> {
    return [...(await listRange(this.store, range, { pageSize: 1_000 })).kvs.values()];
  }

  /** The end of a run, once it is recorded. */
  async recordOf(job: string, isIt: (record: RunRecord) => boolean = () => true): Promise<RunRecord> {
    return waitUntil(async () => [...(await this.records(job)).values()].find(isIt), {
      what: `a record of ${job}`,
      timeoutMs: 120_000,
    });
  }

  /** Waits until all due times of the job up to `throughMs` have been planned, and have ended. */
  async ended(job: string, throughMs: number): Promise<void> {
    await waitUntil(
      async () => {
        const [kv] = await this.list(singleKey(this.keys.cursor));
        const cursor = kv && decodeRecord(cursorRecordSchema, kv);
        if (!cursor?.ok || cursor.value.plannedThrough.due < throughMs) return false;
        const waiting = [...(await this.firings(job)).keys()];
        return waiting.every(
          (runId) => Date.parse(runId.slice(job.length + 1).replace(/\+.*$/, '')) > throughMs,
        );
      },
      {
        what: `the due times of ${job} up to ${new Date(throughMs).toISOString()} to end`,
        timeoutMs: 240_000,
      },
    );
  }

  /**
   * What is wrong with the accounting of (afterMs, throughMs]: each due time must have exactly one terminal record, or
   * lie in the range of one `missed` record.
   */
  async accounting(job: string, schedule: string, afterMs: number, throughMs: number): Promise<string[]> {
    const records = await this.records(job);
    const missed = [...records.values()].flatMap((record) => record.missed ?? []);
    const parsed = parseSchedule(schedule, 'UTC');
    const wrong: string[] = [];
    for (let due = parsed.next(afterMs); due !== null && due <= throughMs; due = parsed.next(due)) {
      const runId = formatRunId({ job, dueMs: due, suffix: null });
      const own = records.get(runId);
      const ownCount = own && own.missed === null ? 1 : 0;
      const ranges = ownCount
        ? 0
        : missed.filter(({ from, through }) => from <= due && due <= through).length;
      if (ownCount + ranges !== 1) wrong.push(`${runId} is accounted for ${ownCount + ranges} times`);
    }
    return wrong;
  }

  /** What the commands themselves saw go wrong. */
  violations(): string[] {
    const wrong: string[] = [];
    const starts = this.evidence().filter(({ what }) => what === 'start');
    const seen = new Set<string>();
    for (const { runId, attempt, atMs, dueMs } of starts) {
      if (atMs < dueMs) wrong.push(`${runId} started ${dueMs - atMs} ms early`);
      if (seen.has(`${runId} ${attempt}`)) wrong.push(`${runId}: attempt ${attempt} ran twice`);
      seen.add(`${runId} ${attempt}`);
    }
    return wrong;
  }

  /** For a test that failed: what the workers complained about. */
  complaints(): string {
    const lines = this.workers.flatMap(({ name, log }) =>
      log()
        .split('\n')
        .map((line) => `${name} ${line}`),
    );
    return lines
      .filter((line) => /"level":[456]0|rror/.test(line))
      .slice(-60)
      .join('\n');
  }

  /** Ends everything that is left. */
  async stop(): Promise<void> {
    for (const worker of this.workers) {
      if (worker.child.exitCode !== null || worker.child.signalCode !== null) continue;
      worker.child.kill('SIGTERM');
      const kill = setTimeout(() => worker.child.kill('SIGKILL'), 20_000);
      await worker.exited;
      clearTimeout(kill);
    }
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(name: string): Worker {
    const { endpoints, workerArgs = [], argsOf = {}, env = {} } = this.#options;
    return spawnWorker({
      ...{ program: CLI, name, endpoints, prefix: this.keys.prefix, folder: this.folder },
      logFile: join(this.folder, `${name}-${this.workers.length}.log`),
      ...{ args: [...workerArgs, ...(argsOf[name] ?? [])], env },
    });
  }
}
