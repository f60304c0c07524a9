/** What stands under the prefix and was not written by etcron, or does not decode. Jobs have a check of their own. */
import type { z } from 'zod';
import { leaderRecordSchema } from '../../election/leader-record.js';
import { workerRecordSchema } from '../../election/worker-record.js';
import type { Cluster } from '../../etcd/cluster.js';
import { parseRunId, type Keys } from '../../etcd/keys.js';
import { listRange } from '../../etcd/listing.js';
import { decodeRecord } from '../../etcd/record.js';
import { prefixRange, type KeyRange, type KeyValue } from '../../etcd/store.js';
import type { Snapshot } from '../../operations/snapshot.js';
import { cursorRecordSchema } from '../../view/cursor-record.js';
import { drainRecordSchema } from '../../view/drain-record.js';
import { decodeFiring } from '../../view/firing-record.js';
import { handoverRecordSchema } from '../../view/handover-record.js';
import { killRecordSchema } from '../../view/kill-record.js';
import { decodeLimit } from '../../view/limit-record.js';
import { decodeRunCount } from '../../view/run-count.js';
import type { ForeignKey } from './facts.js';

const PAGE_SIZE = 1_000;
/** Of the keys between those that have a meaning, so many are looked at in each gap. */
const STRANGERS = 5;
const NO_LEASE = 'has no lease, so that it would never go away: no worker wrote it';

/** Rejects with a `StoreError`. */
export async function findForeignKeys(cluster: Cluster, snapshot: Snapshot): Promise<ForeignKey[]> {
  const found = [
    ...(await damagedValues(cluster)),
    ...(await strayClaims(cluster, snapshot)),
    ...(await strangers(cluster)),
  ];
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function damagedValues({ store, keys }: Cluster): Promise<ForeignKey[]> {
  const beforeJobs = { start: keys.mirrored.start, end: keys.jobs };
  const afterJobs = { start: prefixRange(keys.jobs).end, end: keys.mirrored.end };
  const found: ForeignKey[] = [];
  for (const range of [beforeJobs, afterJobs, keys.mirroredWorkers]) {
    const { kvs } = await listRange(store, range, { pageSize: PAGE_SIZE });
    for (const kv of kvs.values()) {
      const problem = problemOf(keys, kv);
      if (problem !== null) found.push({ key: kv.key, problem });
    }
  }
  return found;
}

function problemOf(keys: Keys, kv: KeyValue): string | null {
  const { key } = kv;
  if (key.startsWith(keys.firings)) {
    const firing = decodeFiring(kv);
    if (!firing.ok) return firing.problem;
    return parseRunId(key.slice(keys.firings.length)) === null ? 'not a run id' : null;
  }
  if (key.startsWith(keys.counts)) return decodeRunCount(kv).problem;
  if (key.startsWith(keys.limits)) return decodeLimit(kv).problem;
  if (key.startsWith(keys.kills)) {
    if (parseRunId(key.slice(keys.kills.length)) === null) return 'not a run id';
    return judge(killRecordSchema, kv);
  }
  if (key.startsWith(keys.drains)) return judge(drainRecordSchema, kv);
  if (key.startsWith(keys.workers)) return judge(workerRecordSchema, kv) ?? leaseProblem(kv);
  if (key === keys.leader) return judge(leaderRecordSchema, kv) ?? leaseProblem(kv);
  if (key === keys.cursor) return judge(cursorRecordSchema, kv);
  if (key === keys.handover) return judge(handoverRecordSchema, kv);
  return 'a key that means nothing here';
}

function judge(schema: z.ZodType, kv: KeyValue): string | null {
  const decoded = decodeRecord(schema, kv);
  return decoded.ok ? null : decoded.problem;
}

function leaseProblem({ leaseId }: KeyValue): string | null {
  return leaseId === null ? NO_LEASE : null;
}

/** Locks and slots live under the lease of their worker, and a lock goes with a firing that is in flight. */
async function strayClaims({ store, keys }: Cluster, snapshot: Snapshot): Promise<ForeignKey[]> {
  const inFlight = new Set(
    snapshot.firings.filter(({ value }) => value.node !== null).map(({ runId }) => runId),
  );
  const found: ForeignKey[] = [];
  for (const prefix of [keys.locks, keys.slots, keys.limitSlots]) {
    const { kvs } = await listRange(store, prefixRange(prefix), { pageSize: PAGE_SIZE });
    for (const { key, leaseId, createRevision } of kvs.values()) {
      if (leaseId === null) found.push({ key, problem: NO_LEASE });
      // Those that came after the snapshot are in no firing of it yet.
      else if (prefix === keys.locks && createRevision <= snapshot.revision) {
        if (!inFlight.has(key.slice(prefix.length)))
          found.push({ key, problem: 'a claim on a firing that is not in flight' });
      }
    }
  }
  return found;
}

/** Keys that lie under the prefix and under none of what etcron uses. */
async function strangers({ store, keys }: Cluster): Promise<ForeignKey[]> {
  const found: ForeignKey[] = [];
  for (const range of gaps(keys)) {
    const { kvs } = await store.range(range, { limit: STRANGERS, keysOnly: true });
    for (const { key } of kvs) found.push({ key, problem: 'a key that means nothing here' });
  }
  return found;
}

function gaps(keys: Keys): KeyRange[] {
  const used = [
    ...[keys.access, keys.runs, keys.locks, keys.slots, keys.limitSlots, keys.sets, keys.workers].map(
      prefixRange,
    ),
    // Its own keys are judged one by one.
    { start: keys.mirrored.start, end: keys.mirrored.end },
  ].sort((a, b) => (a.start < b.start ? -1 : 1));
  const all = prefixRange(`${keys.prefix}/`);
  const ends = [{ start: all.start, end: all.start }, ...used];
  return ends.map(({ end }, index) => ({ start: end, end: used[index]?.start ?? all.end }));
}
