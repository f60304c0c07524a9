/**
 * Whether each firing ran once and on time, judged by etcd's own history and not by a count that etcron keeps: all changes of
 * `lock/` and `runs/` are read, after the measurement, when that costs nothing, or along with one that is longer than etcd
 * keeps its history.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRunId } from '../src/etcd/keys.js';
import { listRange } from '../src/etcd/listing.js';
import { prefixRange, type Watch } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';
import type { RunRecord } from '../src/history/run-record.js';
import { PROFILED_WORKER, type BenchCluster } from './cluster.js';
import { readCosts, type Cost } from './cpu-profile.js';
import { Ledger, type Account, type JudgeOptions } from './ledger.js';

const POLL_MS = 250;

/** A ledger that follows etcd. */
export class LiveLedger {
  readonly ledger = new Ledger();
  readonly #cluster: BenchCluster;
  readonly #watch: Watch;
  /** Lies between locks and records in the order of keys, and says how far the history was read. */
  readonly #marker: string;
  #readThrough = 0;
  #lost: Error | null = null;
  #progress: (() => void)[] = [];

  constructor(cluster: BenchCluster, fromRevision: number) {
    this.#cluster = cluster;
    const { keys, store } = cluster;
    this.#marker = `${keys.prefix}/mark`;
    const range = { start: keys.locks, end: `${keys.runs.slice(0, -1)}0` };
    this.#watch = store.watch(range, fromRevision, {
      onEvents: (events) => {
        this.ledger.apply(keys, events);
        for (const event of events)
          if (event.type === 'put' && event.kv.key === this.#marker) this.#readThrough = event.kv.modRevision;
        this.#wake();
      },
      onLost: (error) => {
        this.#lost = error;
        this.#wake();
      },
    });
  }

  /** Waits until everything that has happened by now is in the ledger. */
  async sync(): Promise<void> {
    const { revision } = await this.#cluster.store.txn({ compare: [], success: [put(this.#marker, '')] });
    while (this.#readThrough < revision) {
      if (this.#lost !== null) throw this.#lost;
      await new Promise<void>((resolve) => this.#progress.push(resolve));
    }
  }

  /** Waits up to `withinMs` for the records of the firings, then judges them. */
  async account(expected: readonly string[], withinMs: number, options?: JudgeOptions): Promise<Account> {
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      // What ends between the two looks is in the ledger.
      const planned = await plannedRuns(this.#cluster);
      await this.sync();
      const isComplete = expected.every((runId) => this.ledger.has(runId));
      if (isComplete || performance.now() > giveUpAt)
        return this.ledger.judge(expected, { ...options, planned });
      await sleep(POLL_MS);
    }
  }

  close(): void {
    this.#watch.close();
  }

  #wake(): void {
    for (const resolve of this.#progress.splice(0)) resolve();
  }
}

/** Waits up to `withinMs` for the records of `jobs` × `dues`, then judges them. */
export async function account(
  cluster: BenchCluster,
  fromRevision: number,
  jobs: readonly string[],
  dues: readonly number[],
  withinMs: number,
): Promise<Account> {
  const live = new LiveLedger(cluster, fromRevision);
  try {
    return await live.account(runIds(jobs, dues), withinMs);
  } finally {
    live.close();
  }
}

export function runIds(jobs: readonly string[], dues: readonly number[]): string[] {
  return dues.flatMap((dueMs) => jobs.map((job) => formatRunId({ job, dueMs, suffix: null })));
}

/** The firings that are planned or in flight now. */
export async function plannedRuns({ store, keys }: BenchCluster): Promise<Set<string>> {
  const { kvs } = await listRange(store, prefixRange(keys.firings), { pageSize: 1_000, keysOnly: true });
  return new Set([...kvs.keys()].map((key) => key.slice(keys.firings.length)));
}

/** Of those that started. */
export function latenessesMs(records: readonly RunRecord[]): number[] {
  return records.flatMap(({ latenessMs }) => (latenessMs === null ? [] : [latenessMs]));
}

/** What a firing cost the profiled worker between two moments; its profile is complete once it has ended. */
export async function costsPerFiring(
  { profileFile }: BenchCluster,
  records: readonly RunRecord[],
  fromUs: number,
  toUs: number,
): Promise<Cost[] | null> {
  if (profileFile === null) return null;
  const firings = records.filter((record) => record.worker === PROFILED_WORKER).length;
  const costs = await readCosts(profileFile, fromUs, toUs);
  return costs.map(({ place, ms }) => ({ place, ms: ms / firings }));
}
