/**
 * The claim: the one transaction that decides who runs a firing.
 *
 *     create(lock) = 0  ∧  mod(firing) = seen  ∧  mod(job) = seen  [∧ create(slot) = 0]  [∧ mod(count) = seen]
 *       → put lock (lease), put firing {attempt + 1, node}, [put slot (lease)], [put count {runs + 1}]
 *
 * For each limit that the job is under it compares also `create(limit slot) = 0` and `mod(size of the limit) = seen`, and
 * puts the limit slot (lease): all of them or none. In the queue of a job (`overlap: queue`) it compares besides that the
 * older firings are as they were seen.
 *
 * Each compare has its reason: nobody holds it; it was not claimed, finished, retried or voided meanwhile; we run the
 * definition that we know; and the job stays within its concurrency, its limits and
 * its `maxRuns`. A limit's size is compared, since the slots that are free depend on it.
 */
import { formatRunId, slotGroup, type FiringId, type Keys } from '../etcd/keys.js';
import { decodeRecord } from '../etcd/record.js';
import type { Compare, KeyValue, Txn, TxnResult } from '../etcd/store.js';
import { absent, get, modifiedAt, put } from '../etcd/txn.js';
import { decodeFiring, encodeFiring, type FiringRecord } from '../view/firing-record.js';
import { encodeRunCount, type RunCountRecord } from '../view/run-count.js';
import { encodeLock, lockRecordSchema, type LockRecord } from './lock-record.js';

export interface ClaimRequest {
  readonly id: FiringId;
  readonly firing: FiringRecord;
  readonly firingRevision: number;
  readonly jobRevision: number;
  readonly nodeId: string;
  readonly worker: string;
  readonly leaseId: string;
  /** Null for a job without a bound on concurrency. */
  readonly slot: number | null;
  /** One of each limit that the job is under. */
  readonly limitSlots: readonly LimitSlot[];
  /** What else must hold: that it is the firing's turn in the queue of its job. */
  readonly provided: readonly Compare[];
  /** Null: it does not count towards the job's `maxRuns`. */
  readonly count: CountedStart | null;
  /** The firing's last attempt died with its worker. */
  readonly afterCrash: boolean;
  readonly nowMs: number;
}

/** The first attempt of a run that counts. */
export interface CountedStart {
  /** Of the key that holds the count; 0 when there is none. */
  readonly seenRevision: number;
  /** With this run. */
  readonly next: RunCountRecord;
}

/** A free slot of a limit. */
export interface LimitSlot {
  readonly name: string;
  readonly index: number;
  /** Of the key that holds the limit's size. */
  readonly sizeRevision: number;
}

/** A claim that we hold. */
export interface Claim {
  readonly id: FiringId;
  /** Create revision of the lock. */
  readonly fencingToken: number;
  /** The firing as the claim wrote it, and as it was before. */
  readonly firing: FiringRecord;
  readonly before: FiringRecord;
  /** What it made of the job's count of runs; null when it does not count. */
  readonly counted: RunCountRecord | null;
}

export type ClaimResult =
  | { readonly won: true; readonly claim: Claim }
  | {
      readonly won: false;
      readonly why: 'held';
      readonly holder: LockRecord | null;
      readonly fake?: FakeClaim;
    }
  /** Of the job, or else of a limit. */
  | { readonly won: false; readonly why: 'slot-taken' | 'limit-taken'; readonly fake?: FakeClaim }
  | { readonly won: false; readonly why: 'changed' };

/** A lock or slot (be it of a limit) without a lease: no worker wrote it, and no death would ever take it away. */
export interface FakeClaim {
  readonly key: string;
  readonly modRevision: number;
}

export interface PreparedClaim {
  readonly txn: Txn;
  /** Reads the answer, also that of a second try after a lost reply: then the lock shows our own claim. */
  readonly interpret: (result: TxnResult) => ClaimResult;
}

/** Builds the transaction. Sending it again after a lost reply is safe. */
export function prepareClaim(keys: Keys, request: ClaimRequest): PreparedClaim {
  const { id, nodeId, leaseId, slot, count } = request;
  const lockKey = keys.lock(id);
  const firingKey = keys.firing(id);
  const slotKey = slot === null ? null : keys.slot(slotGroup(id), slot);
  const limitKeys = request.limitSlots.map(({ name, index }) => keys.limitSlot(name, index));
  const firing: FiringRecord = {
    ...request.firing,
    attempt: request.firing.attempt + 1,
    crashes: request.firing.crashes + (request.afterCrash ? 1 : 0),
    node: nodeId,
    slot,
    limitSlots: limitKeys.length === 0 ? null : slotsByName(request.limitSlots),
    waiting: false,
  };
  const lock = encodeLock({
    node: nodeId,
    worker: request.worker,
    attempt: firing.attempt,
    claimedAt: request.nowMs,
  });
  const won = (fencingToken: number): ClaimResult => ({
    won: true,
    claim: { id, fencingToken, firing, before: request.firing, counted: request.count?.next ?? null },
  });
  return {
    txn: {
      compare: [
        absent(lockKey),
        modifiedAt(firingKey, request.firingRevision),
        modifiedAt(keys.job(id.job), request.jobRevision),
        ...(slotKey === null ? [] : [absent(slotKey)]),
        ...limitKeys.map((key) => absent(key)),
        ...request.limitSlots.map(({ name, sizeRevision }) => modifiedAt(keys.limit(name), sizeRevision)),
        ...(count === null ? [] : [modifiedAt(keys.count(id.job), count.seenRevision)]),
        ...request.provided,
      ],
      success: [
        put(lockKey, lock, leaseId),
        put(firingKey, encodeFiring(firing)),
        ...(slotKey === null ? [] : [put(slotKey, nodeId, leaseId)]),
        ...limitKeys.map((key) => put(key, formatRunId(id), leaseId)),
        ...(count === null ? [] : [put(keys.count(id.job), encodeRunCount(count.next))]),
      ],
      failure: [lockKey, firingKey, ...(slotKey === null ? [] : [slotKey]), ...limitKeys].map((key) =>
        get(key),
      ),
    },
    interpret(result) {
      if (result.succeeded) return won(result.revision);
      const [lockKv, firingKv, ...slotKvs] = result.results.map((one) =>
        one.type === 'get' ? one.kvs[0] : undefined,
      );
      const slotKv = slotKey === null ? undefined : slotKvs.shift();
      const limitKv = slotKvs.find((kv) => kv !== undefined);
      if (lockKv) {
        const holder = decodeRecord(lockRecordSchema, lockKv);
        if (!holder.ok) return { won: false, why: 'held', holder: null, ...fakeIn(lockKv) };
        const ours =
          holder.value.node === nodeId &&
          holder.value.attempt === firing.attempt &&
          lockKv.leaseId === leaseId;
        if (ours && isOurFiring(firingKv, nodeId, firing.attempt)) return won(lockKv.createRevision);
        return { won: false, why: 'held', holder: holder.value, ...fakeIn(lockKv) };
      }
      if (firingKv?.modRevision === request.firingRevision && slotKv)
        return { won: false, why: 'slot-taken', ...fakeIn(slotKv) };
      if (firingKv?.modRevision === request.firingRevision && limitKv)
        return { won: false, why: 'limit-taken', ...fakeIn(limitKv) };
      return { won: false, why: 'changed' };
    },
  };
}

function slotsByName(slots: readonly LimitSlot[]): Record<string, number> {
  return Object.fromEntries(slots.map(({ name, index }) => [name, index]));
}

function fakeIn({ key, modRevision, leaseId }: KeyValue): { fake?: FakeClaim } {
  return leaseId === null ? { fake: { key, modRevision } } : {};
}

function isOurFiring(kv: KeyValue | undefined, nodeId: string, attempt: number): boolean {
  const decoded = kv && decodeFiring(kv);
  return decoded?.ok === true && decoded.value.node === nodeId && decoded.value.attempt === attempt;
}
