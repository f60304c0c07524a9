/**
 * A cluster of whole nodes on an in-memory etcd and a clock that is advanced by hand. Only etcd and the processes are
 * replaced. What each process did is noted outside of etcron, for the checks.
 */
import type { Clock } from '../../src/clock.js';
import { Keys, formatRunId, parseRunId } from '../../src/etcd/keys.js';
import { prefixRange } from '../../src/etcd/store.js';
import { decodeRun, type RunRecord } from '../../src/history/run-record.js';
import { measureNode } from '../../src/node/measure.js';
import { Node } from '../../src/node/node.js';
import { NODE_DEFAULTS, type NodeOptions } from '../../src/node/options.js';
import { createRandom, type Random } from '../../src/random.js';
import type { PreparedTask, RunEnding, RunningTask, RunRequest, RunResult } from '../../src/run/executor.js';
import { parseSchedule } from '../../src/schedule/index.js';
import { silentLogger, type Logger } from '../../src/telemetry/logger.js';
import type { WorkerMetrics } from '../../src/telemetry/metrics/worker-metrics.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import type { MemoryStore, MemoryStoreOptions } from '../../src/testing/memory-store.js';
import { decodeFiring } from '../../src/view/firing-record.js';

/**
 * What a fake command does: `run 5000 exit 1` runs for 5 s and fails, `run 5000 exit 1 until 3` does so in its first two
 * attempts. Default: 10 ms, success.
 */
const BEHAVIOUR = /^run (\d+)(?: exit (\d+)(?: until (\d+))?)?$/;

/** One process, as an observer outside of the cluster sees it. */
export interface FakeProcess {
  readonly node: string;
  readonly runId: string;
  readonly dueMs: number;
  readonly attempt: number;
  readonly fencingToken: number;
  readonly startedAtMs: number;
  endedAtMs: number | null;
}

export interface MemoryNode {
  readonly name: string;
  readonly node: Node;
  readonly store: MemoryStore;
  /** Like SIGKILL with a watchdog: its processes die with it, its calls are never answered. */
  crash(): void;
}

export interface MemoryClusterOptions {
  seed?: number | string;
  node?: Partial<NodeOptions>;
  /** The same for one of them. */
  nodes?: Readonly<Record<string, Partial<NodeOptions>>>;
  store?: (name: string, random: Random) => MemoryStoreOptions;
  /** The clock of one node, on the time line of all; default is the right time. */
  clock?: (name: string, right: FakeClock) => Clock;
  /** Measures each node. */
  metrics?: (name: string) => WorkerMetrics;
  log?: Logger;
  startMs?: number;
}

export class MemoryCluster {
  readonly clock: FakeClock;
  readonly etcd: MemoryEtcd;
  readonly keys = new Keys('/cron');
  readonly random: Random;
  readonly processes: FakeProcess[] = [];
  readonly nodes: MemoryNode[] = [];
  readonly admin: MemoryStore;
  readonly #options: MemoryClusterOptions;
  /** Nodes so far: one of the same name is another node. */
  #made = 0;

  constructor(options: MemoryClusterOptions = {}) {
    this.#options = options;
    this.random = createRandom(options.seed ?? 1);
    this.clock = new FakeClock(options.startMs ?? Date.UTC(2026, 0, 1, 12));
    this.etcd = new MemoryEtcd(this.clock);
    this.admin = this.etcd.connect({ name: 'admin' });
  }

  /** Starts nodes and lets them settle. */
  async addNodes(...names: string[]): Promise<MemoryNode[]> {
    const starting = Promise.all(names.map((name) => this.startNode(name)));
    const added = this.nodes.slice(-names.length);
    await this.clock.advance(100);
    await starting;
    return added;
  }

  /** Begins to start a node; rejects, and forgets the node, when it cannot start. */
  async startNode(name: string): Promise<void> {
    const added = this.#make(name);
    this.nodes.push(added);
    try {
      await added.node.start();
    } catch (error) {
      this.nodes.splice(this.nodes.indexOf(added), 1);
      throw error;
    }
  }

  leader(): MemoryNode | undefined {
    return this.nodes.find(({ node }) => node.isLeader());
  }

  async putJob(name: string, definition: Record<string, unknown> | string): Promise<void> {
    const value =
      typeof definition === 'string' ? definition : JSON.stringify({ command: 'run 10', ...definition });
    await this.#admin((store) =>
      store.txn({ compare: [], success: [{ type: 'put', key: this.keys.job(name), value }] }),
    );
  }

  async deleteKey(key: string): Promise<void> {
    await this.#admin((store) => store.txn({ compare: [], success: [{ type: 'delete', key }] }));
  }

  async putKey(key: string, value: string): Promise<void> {
    await this.#admin((store) => store.txn({ compare: [], success: [{ type: 'put', key, value }] }));
  }

  /** Run id → record, for all or for one job. */
  records(job?: string): Map<string, RunRecord> {
    const range = job === undefined ? prefixRange(this.keys.runs) : this.keys.runsOf(job);
    const found = new Map<string, RunRecord>();
    for (const kv of this.etcd.range(range).kvs) {
      const record = decodeRun(kv);
      if (!record.ok) throw new Error(`${kv.key}: ${record.problem}`);
      found.set(kv.key.slice(this.keys.runs.length), record.value);
    }
    return found;
  }

  /** Keys under `firings/`, without the prefix. */
  firings(job?: string): string[] {
    const range = job === undefined ? prefixRange(this.keys.firings) : this.keys.firingsOf(job);
    return this.etcd.range(range).kvs.map((kv) => kv.key.slice(this.keys.firings.length));
  }

  /** Stops all nodes in an orderly way. */
  async stop(): Promise<void> {
    const stopping = Promise.all(this.nodes.map(({ node }) => node.stop()));
    await this.clock.advance(60_000);
    await stopping;
  }

  /**
   * Every due time of `schedule` in (afterMs, throughMs] is accounted for exactly once: by a record of its own, in the
   * range of one `missed` record, or by a firing that still waits. Returns what is wrong.
   */
  accounting(job: string, schedule: string, afterMs: number, throughMs: number): string[] {
    const wrong: string[] = [];
    const records = this.records(job);
    const missed = [...records.values()].flatMap((record) => record.missed ?? []);
    const planned = new Set(this.firings(job));
    const parsed = parseSchedule(schedule, 'UTC');
    for (let due = parsed.next(afterMs); due !== null && due <= throughMs; due = parsed.next(due)) {
      const runId = formatRunId({ job, dueMs: due, suffix: null });
      const own = records.get(runId);
      const ownCounts = own !== undefined && own.missed === null ? 1 : 0;
      const ranges = ownCounts
        ? 0
        : missed.filter(({ from, through }) => from <= due && due <= through).length;
      const total = ownCounts + ranges + (planned.has(runId) ? 1 : 0);
      if (total !== 1) wrong.push(`${runId} is accounted for ${total} times`);
    }
    return wrong;
  }

  /** What no fault may ever bring about, judged from the processes and etcd's own history. */
  violations(): string[] {
    return [...this.#earlyStarts(), ...this.#overlaps(), ...this.#claims(), ...this.#duplicateRecords()];
  }

  #earlyStarts(): string[] {
    return this.processes
      .filter((one) => one.startedAtMs < one.dueMs)
      .map((one) => `${one.runId} started ${one.dueMs - one.startedAtMs} ms early`);
  }

  /** No two processes of one firing at the same time. */
  #overlaps(): string[] {
    const wrong: string[] = [];
    const byRun = new Map<string, FakeProcess[]>();
    for (const one of this.processes) byRun.set(one.runId, [...(byRun.get(one.runId) ?? []), one]);
    for (const [runId, processes] of byRun) {
      processes.sort((a, b) => a.startedAtMs - b.startedAtMs);
      for (const [index, next] of processes.entries()) {
        const before = processes[index - 1];
        if (before && (before.endedAtMs === null || before.endedAtMs > next.startedAtMs)) {
          wrong.push(`${runId}: attempts ${before.attempt} and ${next.attempt} ran beside each other`);
        }
        if (before && before.attempt >= next.attempt)
          wrong.push(`${runId}: attempt ${next.attempt} ran twice`);
      }
    }
    return wrong;
  }

  /** A lock is never put over a standing one, and a run record is never written twice but to amend a lost one. */
  #claims(): string[] {
    const wrong: string[] = [];
    for (const change of this.etcd.changes) {
      for (const event of change.events) {
        if (event.type !== 'put' || !event.kv.key.startsWith(this.keys.locks)) continue;
        if (event.kv.version !== 1) wrong.push(`${event.kv.key} was claimed over a standing claim`);
      }
    }
    return wrong;
  }

  #duplicateRecords(): string[] {
    const wrong: string[] = [];
    for (const change of this.etcd.changes) {
      for (const event of change.events) {
        if (event.type !== 'put' || !event.kv.key.startsWith(this.keys.runs)) continue;
        const record = decodeRun(event.kv);
        const amended = record.ok && record.value.outcome === 'lost' && record.value.late !== null;
        if (event.kv.version !== 1 && !amended) wrong.push(`${event.kv.key} was written twice`);
      }
    }
    return wrong;
  }

  /** Firings that are overdue and that nobody is going to take. */
  stuck(olderThanMs: number): string[] {
    const now = this.clock.now();
    return this.firings().filter((runId) => {
      const firing = this.etcd.get(this.keys.firings + runId);
      const decoded = firing && decodeFiring(firing);
      const startMs = decoded?.ok ? Math.max(parseRunId(runId)!.dueMs, decoded.value.notBefore ?? 0) : 0;
      return startMs < now - olderThanMs;
    });
  }

  #make(name: string): MemoryNode {
    const random = this.random.fork(`node ${name} ${this.#made++}`);
    const store = this.etcd.connect({ name, ...this.#options.store?.(name, random) });
    const alive = { processes: new Set<() => void>(), isAlive: true };
    const clock = this.#options.clock?.(name, this.clock) ?? this.clock;
    const metrics = this.#options.metrics?.(name);
    const measured = metrics && measureNode(metrics, { store, keys: this.keys, clock });
    const node = new Node({
      store: measured?.store ?? store,
      observer: measured?.observer,
      keys: this.keys,
      clock,
      random: () => random.next(),
      log: (this.#options.log ?? silentLogger()).child({ name }),
      prepareTask: (request) => this.#prepare(name, request, alive),
      options: {
        ...NODE_DEFAULTS,
        ...{ name, host: 'memory', pid: 1, version: '0' },
        ...this.#options.node,
        ...this.#options.nodes?.[name],
      },
    });
    measured?.show(node);
    return {
      name,
      node,
      store,
      crash: () => {
        alive.isAlive = false;
        for (const kill of alive.processes) kill();
        store.crash();
        this.nodes.splice(
          this.nodes.findIndex((one) => one.node === node),
          1,
        );
      },
    };
  }

  #prepare(
    node: string,
    request: RunRequest,
    alive: { processes: Set<() => void>; isAlive: boolean },
  ): PreparedTask {
    const { clock, processes } = this;
    return {
      marker: '',
      hasProcesses: true,
      start(): RunningTask {
        const { identity, task } = request;
        const startedAtMs = clock.now();
        const process: FakeProcess = {
          ...{ node, runId: identity.runId, dueMs: Date.parse(identity.dueIso), attempt: identity.attempt },
          ...{ fencingToken: Number(identity.fencingToken), startedAtMs, endedAtMs: null },
        };
        if (alive.isAlive) processes.push(process);
        const [, durationMs = '10', failure = '0', until = 'Infinity'] =
          BEHAVIOUR.exec(task.kind === 'command' ? String(task.command) : '') ?? [];
        const exitCode = identity.attempt < Number(until) ? Number(failure) : 0;
        let finish!: (ending: RunEnding) => void;
        const result = new Promise<RunResult>((resolve) => {
          finish = (ending) => {
            if (process.endedAtMs !== null) return;
            process.endedAtMs = clock.now();
            timer.cancel();
            alive.processes.delete(die);
            const output = { text: '', truncated: false, totalBytes: 0 };
            const endedAtMs = clock.now();
            resolve({
              ...{ ending, startedAtMs, endedAtMs, durationMs: endedAtMs - startedAtMs },
              ...{ stdout: output, stderr: output, leftovers: 0 },
            });
          };
        });
        const die = (): void => {
          process.endedAtMs ??= clock.now();
        };
        const timer = clock.setTimer(Number(durationMs), () => finish({ kind: 'exited', exitCode }));
        alive.processes.add(die);
        return {
          ...{ pid: 1, processGroupId: 1, marker: '', startedAtMs, result },
          kill: (reason) => finish({ kind: 'killed', reason, exitCode: null, signal: 'SIGKILL' }),
        };
      },
    };
  }

  async #admin(call: (store: MemoryStore) => Promise<unknown>): Promise<void> {
    const done = call(this.admin);
    await this.clock.settle();
    await done;
  }
}
