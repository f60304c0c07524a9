/** The transaction that marks a due firing as waiting for its turn, and asks for the end of the run that it replaces. */
import { formatRunId, type FiringId, type Keys } from '../etcd/keys.js';
import { encodeRecord } from '../etcd/record.js';
import type { Compare, Txn } from '../etcd/store.js';
import { absent, modifiedAt, put } from '../etcd/txn.js';
import type { FiringEntry } from '../view/cluster-view.js';
import { encodeFiring } from '../view/firing-record.js';
import { killRecordSchema } from '../view/kill-record.js';

export interface WaitRequest {
  readonly firing: FiringEntry;
  readonly jobRevision: number;
  /** The run whose end makes room, where the job says `overlap: replace`. */
  readonly replaced: FiringEntry | null;
  readonly provided: readonly Compare[];
  readonly nowMs: number;
}

/**
 * Applies only while nobody has claimed the firing, the job is as it was seen, and the run to be replaced still goes on and
 * nobody has asked for its end. Safe to send twice.
 */
export function prepareWait(
  keys: Keys,
  { firing, jobRevision, replaced, provided, nowMs }: WaitRequest,
): Txn {
  const { id, modRevision, value } = firing;
  return {
    compare: [
      absent(keys.lock(id)),
      modifiedAt(keys.firing(id), modRevision),
      modifiedAt(keys.job(id.job), jobRevision),
      ...provided,
      ...(replaced === null
        ? []
        : [modifiedAt(keys.firing(replaced.id), replaced.modRevision), absent(keys.kill(replaced.id))]),
    ],
    success: [
      ...(value.waiting ? [] : [put(keys.firing(id), encodeFiring({ ...value, waiting: true }))]),
      ...(replaced === null ? [] : [put(keys.kill(replaced.id), killRequest(id, nowMs))]),
    ],
  };
}

function killRequest(replacedBy: FiringId, at: number): string {
  return encodeRecord(killRecordSchema, { by: null, reason: `replaced by ${formatRunId(replacedBy)}`, at });
}
