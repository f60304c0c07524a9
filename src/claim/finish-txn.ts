/**
 * The ways out of a claim. Each is one transaction that compares `create(lock) = ours`: when the lock is gone, or is
 * somebody else's, the result is not ours to write.
 *
 *     end        → delete lock, slot, firing; put run record      (the firing's one terminal record)
 *     hand back  → delete lock, slot; put firing {node null, …}   (retry later, another worker goes on, or the
 *                                                                  leader voids it: it never started)
 *
 * A lost reply is resolved by sending the transaction again: it then fails because the lock is gone, and the branch for
 * that case reads what we would have written.
 */
import type { FiringId, Keys } from '../etcd/keys.js';
import type { KeyValue, Operation, Txn, TxnResult } from '../etcd/store.js';
import { absent, createdAt, del, exists, get, modifiedAt, put } from '../etcd/txn.js';
import { decodeRun, encodeRun, type RunRecord } from '../history/run-record.js';
import { encodeFiring, type FiringRecord } from '../view/firing-record.js';

/** What a transaction of this module did. */
export type FinishResult = 'done' | 'not-ours';

export interface PreparedFinish {
  readonly txn: Txn;
  readonly interpret: (result: TxnResult) => FinishResult;
}

/** What identifies a held claim. */
export interface HeldClaim {
  readonly id: FiringId;
  readonly fencingToken: number;
  readonly slot: number | null;
}

/** Ends the firing with its record. */
export function prepareEnd(keys: Keys, claim: HeldClaim, record: RunRecord): PreparedFinish {
  const runKey = keys.run(claim.id);
  const operations = [...release(keys, claim), del(keys.firing(claim.id)), put(runKey, encodeRun(record))];
  return prepare(keys, claim, operations, runKey, (kv) => {
    const written = decodeRun(kv);
    return written.ok && written.value.fencingToken === String(claim.fencingToken);
  });
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

function prepare(
  keys: Keys,
  claim: HeldClaim,
  success: Operation[],
  proofKey: string,
  isProof: (kv: KeyValue) => boolean,
): PreparedFinish {
  return {
    txn: { compare: [createdAt(keys.lock(claim.id), claim.fencingToken)], success, failure: [get(proofKey)] },
    interpret(result) {
      if (result.succeeded) return 'done';
      const kv = result.results[0]?.type === 'get' ? result.results[0].kvs[0] : undefined;
      return kv && isProof(kv) ? 'done' : 'not-ours';
    },
  };
}

function release(keys: Keys, claim: HeldClaim): Operation[] {
  const { id, slot } = claim;
  return slot === null ? [del(keys.lock(id))] : [del(keys.lock(id)), del(keys.slot(id.job, slot))];
}

/** Ends a firing that nobody holds (and that is still as it was seen), because its turn will not come. */
export function prepareSettle(
  keys: Keys,
  firing: { id: FiringId; modRevision: number },
  record: RunRecord,
  takenSlots: readonly number[] = [],
): Txn {
  const { id, modRevision } = firing;
  return {
    compare: [
      absent(keys.lock(id)),
      modifiedAt(keys.firing(id), modRevision),
      ...takenSlots.map((slot) => exists(keys.slot(id.job, slot))),
    ],
    success: [del(keys.firing(id)), put(keys.run(id), encodeRun(record))],
    failure: [get(keys.lock(id)), get(keys.firing(id))],
  };
}
