/** Between the store's types and etcd's messages, in which int64s are decimal strings and keys are bytes. */
import type {
  ICompare,
  IEvent,
  IKeyValue,
  IRangeRequest,
  IRequestOp,
  IResponseOp,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3';
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationResult,
  RangeOptions,
  Txn,
  TxnResult,
  WatchEvent,
} from './store.js';
import { decodeKey, encodeKey } from './key-text.js';
import { StoreError } from './store-error.js';

/** A revision, version or count as a number. Refuses what a number cannot hold exactly, instead of rounding it. */
export function toSafeNumber(int64: string | number): number {
  const number = Number(int64);
  if (Number.isSafeInteger(number)) return number;
  throw new StoreError(
    'ETCRON_ETCD_REFUSED',
    `etcd answered with ${int64}, which is too large for a revision`,
    {
      maybeApplied: true,
      transient: false,
    },
  );
}

export function toKeyValue(kv: IKeyValue): KeyValue {
  return {
    key: decodeKey(kv.key),
    value: kv.value,
    createRevision: toSafeNumber(kv.create_revision),
    modRevision: toSafeNumber(kv.mod_revision),
    version: toSafeNumber(kv.version),
    leaseId: String(kv.lease) === '0' ? null : String(kv.lease),
  };
}

export function toRangeRequest(range: KeyRange, options: RangeOptions): IRangeRequest {
  return {
    key: encodeKey(range.start),
    range_end: encodeKey(range.end),
    limit: options.limit ?? 0,
    revision: options.revision ?? 0,
    keys_only: options.keysOnly ?? false,
    count_only: options.countOnly ?? false,
    serializable: options.linearizable === false,
    ...(options.descending ? { sort_order: 'Descend', sort_target: 'Key' } : {}),
  };
}

export function toTxnRequest(txn: Txn): ITxnRequest {
  return {
    compare: txn.compare.map(toCompare),
    success: txn.success.map(toRequestOp),
    failure: (txn.failure ?? []).map(toRequestOp),
  };
}

const COMPARE_RESULTS = { '=': 'Equal', '!=': 'NotEqual', '<': 'Less', '>': 'Greater' } as const;

function toCompare({ key, target, op, to }: Compare): ICompare {
  const base = { key: encodeKey(key), result: COMPARE_RESULTS[op] };
  switch (target) {
    case 'create':
      return { ...base, target: 'Create', create_revision: to };
    case 'mod':
      return { ...base, target: 'Mod', mod_revision: to };
    case 'version':
      return { ...base, target: 'Version', version: to };
    case 'lease':
      return { ...base, target: 'Lease', lease: to };
    case 'value':
      return { ...base, target: 'Value', value: Buffer.from(String(to)) };
  }
}

function toRequestOp(operation: Operation): IRequestOp {
  const key = encodeKey(operation.key);
  if (operation.type === 'put') {
    return { request_put: { key, value: Buffer.from(operation.value), lease: operation.leaseId ?? 0 } };
  }
  const end = operation.end === undefined ? {} : { range_end: encodeKey(operation.end) };
  if (operation.type === 'delete') return { request_delete_range: { key, ...end } };
  return {
    request_range: { key, ...end, limit: operation.limit ?? 0, keys_only: operation.keysOnly ?? false },
  };
}

export function toTxnResult(response: ITxnResponse): TxnResult {
  return {
    succeeded: response.succeeded,
    revision: toSafeNumber(response.header.revision),
    results: response.responses.map(toOperationResult),
  };
}

function toOperationResult(response: IResponseOp): OperationResult {
  // The types say that all three are there; on the wire exactly one is.
  const { response_range, response_delete_range } = response as Partial<IResponseOp>;
  if (response_range) return { type: 'get', kvs: response_range.kvs.map(toKeyValue) };
  if (response_delete_range) return { type: 'delete', deleted: toSafeNumber(response_delete_range.deleted) };
  return { type: 'put' };
}

export function toWatchEvent(event: IEvent): WatchEvent {
  // The enum arrives by its name in etcd's own spelling, which the types do not say.
  const type = String(event.type).toUpperCase();
  if (type === 'PUT') return { type: 'put', kv: toKeyValue(event.kv) };
  return { type: 'delete', key: decodeKey(event.kv.key), modRevision: toSafeNumber(event.kv.mod_revision) };
}
