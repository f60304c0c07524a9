/**
 * Whether each firing ran once and on time, judged by etcd's own history and not by a count that etcron keeps: after the
 * measurement all changes of `lock/` and `runs/` since its beginning are read again. A firing that was claimed or recorded
 * twice shows there, although its key can exist only once at a time. During the measurement this costs nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRunId, type Keys } from '../src/etcd/keys.js';
import type { Store } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';
import { decodeRun, type RunRecord } from '../src/history/run-record.js';
import type { BenchCluster } from './cluster.js';

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
    if (expected.every((runId) => history.records.has(runId)) || performance.now() > giveUpAt)
      return judge(expected, history);
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

function judge(expected: readonly string[], history: History): Account {
  const records: RunRecord[] = [];
  const found = {
    lost: [] as string[],
    doubled: [] as string[],
    early: [] as string[],
    failed: [] as string[],
  };
  for (const runId of expected) {
    const own = history.records.get(runId) ?? [];
    const [record] = own;
    if (record === undefined) {
      found.lost.push(runId);
      continue;
    }
    records.push(record);
    const claims = history.claims.get(runId) ?? 0;
    if (own.length > 1 || claims > 1 || record.attempts > 1)
      found.doubled.push(`${runId} (${claims} claims, ${own.length} records, ${record.attempts} attempts)`);
    const dueMs = Date.parse(runId.slice(runId.indexOf('/') + 1));
    if (record.startedAt !== null && record.startedAt < dueMs)
      found.early.push(`${runId} (${dueMs - record.startedAt} ms)`);
    if (record.outcome !== 'succeeded') found.failed.push(`${runId} (${record.outcome}: ${record.reason})`);
  }
  const problems = Object.entries(found).flatMap(([kind, runs]) =>
    runs.length === 0 ? [] : [`${runs.length} of ${expected.length} firings ${kind}: ${shorten(runs)}`],
  );
  return { records, problems };
}

function shorten(runs: readonly string[]): string {
  return runs.slice(0, NAMED).join(', ') + (runs.length > NAMED ? ', …' : '');
}
