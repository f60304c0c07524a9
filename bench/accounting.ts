/**
 * Whether each firing ran once and on time, judged by etcd's own history and not by a count that etcron keeps: after the
 * measurement all changes of `lock/` and `runs/` since its beginning are read again. A firing that was claimed or recorded
 * twice shows there, although its key can exist only once at a time. During the measurement this costs nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRunId, type Keys } from '../src/etcd/keys.js';
import { listRange } from '../src/etcd/listing.js';
import { prefixRange, type Store } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';
import { decodeRun, type RunRecord } from '../src/history/run-record.js';
import { PROFILED_WORKER, type BenchCluster } from './cluster.js';
import { readCosts, type Cost } from './cpu-profile.js';

export interface Account {
  /** One for each expected firing that was found; of several, the first. */
  readonly records: readonly RunRecord[];
  readonly problems: readonly string[];
}

const POLL_MS = 250;
/** Problems of one kind that are named; the others are counted. */
const NAMED = 3;

/** Waits up to `withinMs` for the records of `jobs` × `dues`, then judges them. */
export async function account(
  cluster: BenchCluster,
  fromRevision: number,
  jobs: readonly string[],
  dues: readonly number[],
  withinMs: number,
): Promise<Account> {
  const expected = dues.flatMap((dueMs) => jobs.map((job) => formatRunId({ job, dueMs, suffix: null })));
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const history = await replay(cluster.store, cluster.keys, fromRevision);
    const isComplete = expected.every((runId) => history.records.has(runId));
    if (isComplete || performance.now() > giveUpAt)
      return judge(expected, history, await plannedRuns(cluster));
    await sleep(POLL_MS);
  }
}

interface History {
  readonly claims: ReadonlyMap<string, number>;
  readonly records: ReadonlyMap<string, readonly RunRecord[]>;
}

/** Reads everything that happened to locks and records since `fromRevision`. */
async function replay(store: Store, keys: Keys, fromRevision: number): Promise<History> {
  const claims = new Map<string, number>();
  const records = new Map<string, RunRecord[]>();
  // Lies between the two in the order of keys, and says where the history ends.
  const marker = `${keys.prefix}/mark`;
  const { revision: end } = await store.txn({ compare: [], success: [put(marker, '')] });
  await new Promise<void>((resolve, reject) => {
    const range = { start: keys.locks, end: `${keys.runs.slice(0, -1)}0` };
    const watch = store.watch(range, fromRevision, {
      onEvents: (events) => {
        for (const event of events) {
          if (event.type === 'delete') continue;
          const { key, modRevision } = event.kv;
          if (key === marker && modRevision >= end) {
            watch.close();
            return resolve();
          }
          if (key.startsWith(keys.locks)) {
            const runId = key.slice(keys.locks.length);
            claims.set(runId, (claims.get(runId) ?? 0) + 1);
          } else if (key.startsWith(keys.runs)) {
            const runId = key.slice(keys.runs.length);
            const decoded = decodeRun(event.kv);
            if (decoded.ok) records.set(runId, [...(records.get(runId) ?? []), decoded.value]);
          }
        }
      },
      onLost: reject,
    });
  });
  return { claims, records };
}

/** The firings that are planned or in flight now. */
async function plannedRuns({ store, keys }: BenchCluster): Promise<Set<string>> {
  const { kvs } = await listRange(store, prefixRange(keys.firings), { pageSize: 1_000, keysOnly: true });
  return new Set([...kvs.keys()].map((key) => key.slice(keys.firings.length)));
}

function judge(expected: readonly string[], history: History, planned: ReadonlySet<string>): Account {
  const records: RunRecord[] = [];
  const ranges = [...history.records].flatMap(([runId, all]) =>
    all.flatMap(({ missed }) => (missed === null ? [] : [{ job: jobOf(runId), ...missed }])),
  );
  const found = {
    lost: [] as string[],
    unfinished: [] as string[],
    missed: [] as string[],
    doubled: [] as string[],
    early: [] as string[],
    failed: [] as string[],
  };
  for (const runId of expected) {
    const own = history.records.get(runId) ?? [];
    const [record] = own;
    const dueMs = dueOf(runId);
    if (record === undefined) {
      const isMissed = ranges.some(
        ({ job, from, through }) => job === jobOf(runId) && from <= dueMs && dueMs <= through,
      );
      found[isMissed ? 'missed' : planned.has(runId) ? 'unfinished' : 'lost'].push(runId);
      continue;
    }
    records.push(record);
    const claims = history.claims.get(runId) ?? 0;
    if (own.length > 1 || claims > 1 || record.attempts > 1)
      found.doubled.push(`${runId} (${claims} claims, ${own.length} records, ${record.attempts} attempts)`);
    if (record.startedAt !== null && record.startedAt < dueMs)
      found.early.push(`${runId} (${dueMs - record.startedAt} ms)`);
    if (record.outcome === 'missed') found.missed.push(runId);
    else if (record.outcome !== 'succeeded')
      found.failed.push(`${runId} (${record.outcome}: ${record.reason})`);
  }
  const problems = Object.entries(found).flatMap(([kind, runs]) =>
    runs.length === 0 ? [] : [`${runs.length} of ${expected.length} firings ${kind}: ${shorten(runs)}`],
  );
  return { records, problems };
}

function jobOf(runId: string): string {
  return runId.slice(0, runId.indexOf('/'));
}

function dueOf(runId: string): number {
  return Date.parse(runId.slice(runId.indexOf('/') + 1));
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

function shorten(runs: readonly string[]): string {
  return runs.slice(0, NAMED).join(', ') + (runs.length > NAMED ? ', …' : '');
}
