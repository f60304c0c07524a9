/** Runs whole command lines on an etcd in memory and collects what they say. */
import type { CliEnvironment, Terminal, TextSource } from '../../src/cli/environment.js';
import { runCli } from '../../src/cli/program.js';
import { leaderRecordSchema } from '../../src/election/leader-record.js';
import { workerRecordSchema, type WorkerRecord } from '../../src/election/worker-record.js';
import { Keys, type FiringId } from '../../src/etcd/keys.js';
import { encodeRecord } from '../../src/etcd/record.js';
import { del, put } from '../../src/etcd/txn.js';
import { emptyRecord, encodeRun, type RunRecord } from '../../src/history/run-record.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import type { Intercept, MemoryStore } from '../../src/testing/memory-store.js';
import { encodeFiring, plannedFiring, type FiringRecord } from '../../src/view/firing-record.js';

export const T0 = Date.UTC(2026, 10, 21, 14);
export const keys = new Keys('/cron');

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The stdout parsed. */
  json<T>(): T;
}

export interface CliOptions {
  env?: Record<string, string>;
  /** What is typed; a terminal when `isTTY`. */
  input?: string;
  isTTY?: boolean;
  /** The screen, where there is one. */
  terminal?: Terminal;
  /** How much of the clock's time passes with each turn of the event loop; default none. */
  passMs?: number;
}

/** A cluster in memory, and a command line for it. */
export class TestCli {
  readonly clock = new FakeClock(T0);
  readonly etcd = new MemoryEtcd(this.clock);
  /** Sees the calls of every command. */
  intercept: Intercept | undefined;
  readonly stores: MemoryStore[] = [];
  /** Instead of etcd itself: through a server. */
  connect: CliEnvironment['connect'] | undefined;

  readonly #interrupts = new Set<() => void>();

  /** Ctrl-C. */
  interrupt(): void {
    for (const listener of this.#interrupts) listener();
  }

  run(...args: string[]): Promise<CliResult> {
    return this.runWith({}, ...args);
  }

  async runWith(options: CliOptions, ...args: string[]): Promise<CliResult> {
    const { env = {}, input = '', isTTY = false, terminal = null, passMs = 0 } = options;
    let stdout = '';
    let stderr = '';
    const environment: CliEnvironment = {
      stdin: source(input, isTTY),
      stdout: { write: (text) => (stdout += textOf(text)), isTTY: false },
      stderr: { write: (text) => (stderr += textOf(text)), isTTY: false },
      env,
      clock: this.clock,
      onInterrupt: (listener) => {
        this.#interrupts.add(listener);
        return () => this.#interrupts.delete(listener);
      },
      terminal: () => terminal,
      connect: async (options) => {
        if (this.connect) return this.connect(options);
        const store = this.etcd.connect(this.intercept ? { intercept: this.intercept } : {});
        this.stores.push(store);
        return { store, keys };
      },
    };
    const code = await this.#whileTimePasses(runCli(args, environment), passMs);
    return { code, stdout, stderr, json: <T>() => JSON.parse(stdout) as T };
  }

  putJob(name: string, text: string): void {
    this.#put(keys.job(name), text);
  }

  job(name: string): string | undefined {
    return this.etcd.get(keys.job(name))?.value.toString('utf8');
  }

  putRun(id: FiringId, record: Partial<RunRecord> = {}): void {
    this.#put(keys.run(id), encodeRun({ ...emptyRecord('succeeded', null, id.dueMs), ...record }));
  }

  putFiring(id: FiringId, record: Partial<FiringRecord> = {}): void {
    this.#put(keys.firing(id), encodeFiring({ ...plannedFiring('f'), ...record }));
  }

  /** What the worker does at the end of a run. */
  endRun(id: FiringId, record: Partial<RunRecord> = {}): void {
    const value = encodeRun({ ...emptyRecord('succeeded', null, id.dueMs), ...record });
    this.etcd.txn({ compare: [], success: [del(keys.firing(id)), put(keys.run(id), value)] });
  }

  putWorker(nodeId: string, record: Partial<WorkerRecord> = {}): void {
    const worker: WorkerRecord = {
      ...{ name: nodeId.replace(/-[^-]*$/, ''), host: 'h1', pid: 7, version: '0.1.0' },
      ...{ state: 'active', capacity: 4, labels: {}, handlers: [], startedAt: T0 - 60_000 },
      ...{ clock: null, skewed: false, api: null, ...record },
    };
    this.#put(keys.worker(nodeId), encodeRecord(workerRecordSchema, worker), this.#lease());
  }

  putLeader(nodeId: string): void {
    const record = { nodeId, name: nodeId.replace(/-[^-]*$/, ''), since: T0 - 30_000 };
    this.#put(keys.leader, encodeRecord(leaderRecordSchema, record), this.#lease());
  }

  /** Answers each firing that is put (once per run) as a worker would; called after the command's own turn. */
  onFiring(answer: (id: string) => void): void {
    const seen = new Set<string>();
    this.etcd.observe(({ events }) => {
      for (const event of events) {
        if (event.type !== 'put' || !event.kv.key.startsWith(keys.firings) || seen.has(event.kv.key))
          continue;
        seen.add(event.kv.key);
        setImmediate(() => answer(event.kv.key.slice(keys.firings.length)));
      }
    });
  }

  /** Of a session that outlasts the test. */
  #lease(): string {
    return this.etcd.leaseGrant(24 * 3_600_000).leaseId;
  }

  #put(key: string, value: string, leaseId?: string): void {
    this.etcd.txn({ compare: [], success: [put(key, value, leaseId)] });
  }

  /** Watches deliver by timers of the clock; commands load their modules in turns of the real event loop. */
  async #whileTimePasses(running: Promise<number>, passMs: number): Promise<number> {
    let code: number | null = null;
    void running.then((result) => (code = result));
    while (code === null) {
      await this.clock.advance(passMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return code;
  }
}

function textOf(data: string | Uint8Array): string {
  return typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
}

function source(text: string, isTTY: boolean): TextSource {
  return {
    isTTY,
    async *[Symbol.asyncIterator]() {
      if (text !== '') yield Buffer.from(text);
    },
  };
}

export const GOOD_JOB = '{"schedule":"*/5 * * * *","command":"true"}';

/** `/cron/runs/<job>/2026-11-21T14:00:<second>.000Z`. */
export function due(job: string, second: number, suffix: string | null = null): FiringId {
  return { job, dueMs: T0 + second * 1_000, suffix };
}
