/** The state of a cluster at one revision, read once: for commands that show it and end. */
import type { z } from 'zod';
import { leaderRecordSchema, type LeaderRecord } from '../election/leader-record.js';
import { workerRecordSchema } from '../election/worker-record.js';
import type { Cluster } from '../etcd/cluster.js';
import { parseRunId, type Keys } from '../etcd/keys.js';
import { listRange } from '../etcd/listing.js';
import { decodeRecord } from '../etcd/record.js';
import { StoreError } from '../etcd/store-error.js';
import type { KeyValue } from '../etcd/store.js';
import type { FiringEntry, WorkerEntry } from '../view/cluster-view.js';
import { cursorRecordSchema, type CursorRecord } from '../view/cursor-record.js';
import { drainRecordSchema, type DrainRecord } from '../view/drain-record.js';
import { decodeFiring } from '../view/firing-record.js';
import { JobEntry } from '../view/job-entry.js';
import { decodeLimit, type LimitEntry } from '../view/limit-record.js';
import { decodeRunCount, type RunCount } from '../view/run-count.js';
import { slotReason } from '../view/slot-reason.js';
import type { SlotView } from '../view/turn-order.js';

export interface Snapshot {
  readonly revision: number;
  /** By name, in byte order; what is broken, be it by its name, is among them. */
  readonly jobs: ReadonlyMap<string, JobEntry>;
  /** By job, then by due time. */
  readonly firings: readonly FiringEntry[];
  readonly workers: readonly WorkerEntry[];
  readonly limits: ReadonlyMap<string, LimitEntry>;
  /** Requests that workers take nothing more, by the worker's name. */
  readonly drains: ReadonlyMap<string, DrainRecord>;
  readonly leader: LeaderRecord | null;
  readonly cursor: CursorRecord | null;
}

const PAGE_SIZE = 1_000;
/** The revision can be compacted between the two ranges. */
const MAX_TRIES = 5;

/**
 * Rejects with a `StoreError`. Values that etcron did not write are left out, but for jobs, which say what is wrong; so are
 * workers and a leader without a lease, which no death would ever remove.
 */
export async function takeSnapshot({ store, keys }: Cluster): Promise<Snapshot> {
  for (let tries = 1; ; tries += 1) {
    const { revision, kvs } = await listRange(store, keys.mirrored, { pageSize: PAGE_SIZE });
    try {
      const workers = await listRange(store, keys.mirroredWorkers, { pageSize: PAGE_SIZE, revision });
      return decode(keys, revision, [...kvs.values(), ...workers.kvs.values()]);
    } catch (error) {
      const compacted = error instanceof StoreError && error.details.compacted === true;
      if (!compacted || tries === MAX_TRIES) throw error;
    }
  }
}

function decode(keys: Keys, revision: number, kvs: readonly KeyValue[]): Snapshot {
  const jobs = new Map<string, JobEntry>();
  /** They come before the jobs, in the order of the keys. */
  const counts = new Map<string, RunCount>();
  const firings: FiringEntry[] = [];
  const workers: WorkerEntry[] = [];
  const limits = new Map<string, LimitEntry>();
  const drains = new Map<string, DrainRecord>();
  let leader: LeaderRecord | null = null;
  let cursor: CursorRecord | null = null;
  for (const kv of kvs) {
    const { key } = kv;
    if (key.startsWith(keys.jobs)) {
      const name = key.slice(keys.jobs.length);
      jobs.set(name, new JobEntry(name, kv, counts.get(name)));
    } else if (key.startsWith(keys.counts)) {
      counts.set(key.slice(keys.counts.length), decodeRunCount(kv));
    } else if (key.startsWith(keys.firings)) {
      const entry = firingEntry(keys, kv);
      if (entry) firings.push(entry);
    } else if (key.startsWith(keys.workers)) {
      workers.push(...workerEntries(keys, [kv]));
    } else if (key.startsWith(keys.limits)) {
      limits.set(key.slice(keys.limits.length), decodeLimit(kv));
    } else if (key.startsWith(keys.drains)) {
      const drain = valueOf(drainRecordSchema, kv);
      if (drain) drains.set(key.slice(keys.drains.length), drain);
    } else if (key === keys.leader) leader = kv.leaseId === null ? null : valueOf(leaderRecordSchema, kv);
    else if (key === keys.cursor) cursor = valueOf(cursorRecordSchema, kv);
  }
  return { revision, jobs, firings, workers, limits, drains, leader, cursor };
}

/** The same, indexed for judging whose turn it is. */
export function slotView({ firings, workers, limits }: Snapshot): SlotView {
  const firingsByJob = new Map<string, Map<string, FiringEntry>>();
  const holdersByLimit = new Map<string, Map<string, FiringEntry>>();
  const add = (groups: Map<string, Map<string, FiringEntry>>, group: string, firing: FiringEntry): void => {
    const members = groups.get(group) ?? new Map<string, FiringEntry>();
    groups.set(group, members.set(firing.runId, firing));
  };
  for (const firing of firings) {
    add(firingsByJob, firing.id.job, firing);
    for (const name of Object.keys(firing.value.limitSlots ?? {})) add(holdersByLimit, name, firing);
  }
  return {
    workers: new Map(workers.map((worker) => [worker.nodeId, worker])),
    ...{ firingsByJob, holdersByLimit, limits },
  };
}

/** Why a firing that is due waits for its turn; null when nothing of the kind stands in its way. */
export function reasonToWait(snapshot: Snapshot, firing: FiringEntry): string | null {
  const job = snapshot.jobs.get(firing.id.job)?.job;
  return job ? slotReason(slotView(snapshot), firing, job) : null;
}

/** Those that live: a worker's key has a lease. */
export function workerEntries(keys: Keys, kvs: readonly KeyValue[]): WorkerEntry[] {
  return kvs.flatMap((kv) => {
    const value = kv.leaseId === null ? null : valueOf(workerRecordSchema, kv);
    return value ? [{ nodeId: kv.key.slice(keys.workers.length), ...revisions(kv), value }] : [];
  });
}

/** Null when the key or its value is not a firing. */
export function firingEntry(keys: Keys, kv: KeyValue): FiringEntry | null {
  const runId = kv.key.slice(keys.firings.length);
  const id = parseRunId(runId);
  const decoded = decodeFiring(kv);
  return id && decoded.ok ? { id, runId, ...revisions(kv), value: decoded.value } : null;
}

function valueOf<S extends z.ZodType>(schema: S, kv: KeyValue): z.output<S> | null {
  const decoded = decodeRecord(schema, kv);
  return decoded.ok ? decoded.value : null;
}

function revisions({ createRevision, modRevision }: KeyValue): {
  createRevision: number;
  modRevision: number;
} {
  return { createRevision, modRevision };
}
