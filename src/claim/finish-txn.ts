/**
 * The ways out of a claim. Each is one transaction that compares `create(lock) = ours`: when the lock is gone, or is
 * somebody else's, the result is not ours to write.
 *
 *     end        → delete lock, slots, firing; put run record     (the firing's one terminal record)
 *     hand back  → delete lock, slots; put firing {node null, …}  (retry later, another worker goes on, or the
 *                                                                  leader voids it: it never started)
 *
 * Either can take back what the claim added to the job's count of runs, when nothing ran.
 *
 * A lost reply is resolved by sending the transaction again: it then fails because the lock is gone, and the branch for
 * that case reads what we would have written.
 */
import { slotGroup, type FiringId, type Keys } from '../etcd/keys.js';
import type { Compare, KeyValue, Operation, OperationResult, Txn, TxnResult } from '../etcd/store.js';
import { absent, createdAt, del, get, modifiedAt, put } from '../etcd/txn.js';
import { decodeRun, encodeRun, type Outcome, type RunRecord } from '../history/run-record.js';
import { encodeFiring, type FiringRecord } from '../view/firing-record.js';
import { decodeRunCount, encodeRunCount, type RunCount, type RunCountRecord } from '../view/run-count.js';

/** What a transaction of this module did. */
export type FinishResult = 'done' | 'not-ours';

export interface PreparedFinish {
  readonly txn: Txn;
  /** Of the record that it writes; null where it writes none. */
  readonly outcome: Outcome | null;
  readonly interpret: (result: TxnResult) => FinishResult;
  /** What to send next, where the answer says that only something else than our claim had changed. */
  readonly again?: (result: TxnResult) => PreparedFinish | null;
}

/** What identifies a held claim. */
export interface HeldClaim {
  readonly id: FiringId;
  readonly fencingToken: number;
  readonly slot: number | null;
  readonly limitSlots: FiringRecord['limitSlots'];
}

/** Ends the firing with its record. */
export function prepareEnd(keys: Keys, claim: HeldClaim, record: RunRecord): PreparedFinish {
  const runKey = keys.run(claim.id);
  const operations = [...release(keys, claim), del(keys.firing(claim.id)), put(runKey, encodeRun(record))];
  const prepared = prepare(keys, claim, operations, runKey, (kv) => {
    const written = decodeRun(kv);
    return written.ok && written.value.fencingToken === String(claim.fencingToken);
  });
  return { ...prepared, outcome: record.outcome };
}

/** Gives the firing back, as `firing` says, for another attempt. */
export function prepareHandBack(keys: Keys, claim: HeldClaim, firing: FiringRecord): PreparedFinish {
  const key = keys.firing(claim.id);
  const text = encodeFiring(firing);
  return prepare(
    keys,
    claim,
    [...release(keys, claim), put(key, text)],
    key,
    (kv) => kv.value.toString('utf8') === text,
  );
}

/** The same, and takes `counted`, which the claim made of the job's count of runs, back by one. */
export function takingBackCount(
  keys: Keys,
  claim: HeldClaim,
  prepared: PreparedFinish,
  counted: RunCountRecord,
  count: RunCount | null = { value: counted, problem: null, modRevision: claim.fencingToken },
): PreparedFinish {
  const { compare, success, failure = [] } = prepared.txn;
  const key = keys.count(claim.id.job);
  const value = count?.value ?? null;
  const isOurs = value !== null && value.job === counted.job && value.runs > 0;
  const less = isOurs ? [put(key, encodeRunCount({ ...value, runs: value.runs - 1 }))] : [];
  return {
    txn: {
      compare: [...compare, modifiedAt(key, count?.modRevision ?? 0)],
      success: [...success, ...less],
      failure: [...failure, get(keys.lock(claim.id)), get(key)],
    },
    outcome: prepared.outcome,
    interpret: prepared.interpret,
    again(result) {
      const [lock, now] = result.results.slice(failure.length).map((one) => oneOf(one));
      if (result.succeeded || lock?.createRevision !== claim.fencingToken) return null;
      return takingBackCount(keys, claim, prepared, counted, now ? decodeRunCount(now) : null);
    },
  };
}

function oneOf(result: OperationResult): KeyValue | undefined {
  return result.type === 'get' ? result.kvs[0] : undefined;
}

function prepare(
  keys: Keys,
  claim: HeldClaim,
  success: Operation[],
  proofKey: string,
  isProof: (kv: KeyValue) => boolean,
): PreparedFinish {
  return {
    txn: { compare: [createdAt(keys.lock(claim.id), claim.fencingToken)], success, failure: [get(proofKey)] },
    outcome: null,
    interpret(result) {
      if (result.succeeded) return 'done';
      const kv = result.results[0]?.type === 'get' ? result.results[0].kvs[0] : undefined;
      return kv && isProof(kv) ? 'done' : 'not-ours';
    },
  };
}

function release(keys: Keys, claim: HeldClaim): Operation[] {
  const { id, slot, limitSlots } = claim;
  return [
    del(keys.lock(id)),
    ...(slot === null ? [] : [del(keys.slot(slotGroup(id), slot))]),
    ...Object.entries(limitSlots ?? {}).map(([name, index]) => del(keys.limitSlot(name, index))),
  ];
}

/** Ends a firing that nobody holds (and that is still as it was seen) while `provided` holds: its turn will not come. */
export function prepareSettle(
  keys: Keys,
  firing: { id: FiringId; modRevision: number },
  record: RunRecord,
  provided: readonly Compare[] = [],
): Txn {
  const { id, modRevision } = firing;
  return {
    compare: [absent(keys.lock(id)), modifiedAt(keys.firing(id), modRevision), ...provided],
    success: [del(keys.firing(id)), put(keys.run(id), encodeRun(record))],
    failure: [get(keys.lock(id)), get(keys.firing(id))],
  };
}
