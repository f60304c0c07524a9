/**
 * What etcron needs of etcd, and nothing more: ranges, transactions, watches, leases. The real etcd stands behind it
 * in production (`etcd-store.ts`), a deterministic one in the simulation (`testing/memory-store.ts`); both pass the
 * same conformance tests (`test/etcd/conformance.ts`).
 *
 * Revisions are JavaScript numbers: they stay exact up to 2^53, which etcd would reach after 2,800 years of 100,000
 * writes a second; an implementation must refuse larger ones instead of rounding. Lease ids use all 63 bits and are
 * therefore decimal strings.
 */
import type { EtcronError } from '../errors.js';

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 1 after creation, then one more with each put. */
  readonly version: number;
  /** The lease that the key is attached to, or null. */
  readonly leaseId: string | null;
}

/** All keys with `start <= key < end`, in byte order. `prefixRange` and `singleKey` make the usual ones. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

export interface RangeOptions extends CallOptions {
  /** Reads at this revision; default is the newest. A compacted one is `ETCRON_ETCD_REFUSED` with `details.compacted`. */
  revision?: number;
  limit?: number;
  keysOnly?: boolean;
  countOnly?: boolean;
  /** Descending by key. */
  descending?: boolean;
  /** False allows a read that the member answers from its own state, possibly stale. Default true. */
  linearizable?: boolean;
}

export interface RangeResult {
  /** The revision at which the store answered: the newest at that moment, not the pinned one. */
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  /** More keys lie in the range than `limit` let through. */
  readonly more: boolean;
  /** How many keys lie in the range, `limit` or not. */
  readonly count: number;
}

/** A key that does not exist has create, mod and version 0 and lease 0; no compare of its value holds, not even `!=`. */
export interface Compare {
  readonly key: string;
  readonly target: 'create' | 'mod' | 'version' | 'lease' | 'value';
  readonly op: '=' | '!=' | '<' | '>';
  /** A number for create, mod and version; a decimal string for lease; text for value. */
  readonly to: number | string;
}

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string | Buffer; readonly leaseId?: string }
  /** Deletes one key, or the range up to `end` (exclusive). */
  | { readonly type: 'delete'; readonly key: string; readonly end?: string }
  | {
      readonly type: 'get';
      readonly key: string;
      readonly end?: string;
      readonly limit?: number;
      readonly keysOnly?: boolean;
    };

export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export type OperationResult =
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: number }
  | { readonly type: 'get'; readonly kvs: readonly KeyValue[] };

export interface TxnResult {
  readonly succeeded: boolean;
  /** With a write in the branch that ran: the revision of this very transaction. */
  readonly revision: number;
  /** One for each operation of the branch that ran. */
  readonly results: readonly OperationResult[];
}

/** etcd's defaults (`--max-txn-ops`): each of compare, success and failure holds at most this many entries. */
export const MAX_TXN_OPERATIONS = 128;

export type WatchEvent =
  | { readonly type: 'put'; readonly kv: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

export interface WatchListener {
  /**
   * Events in revision order, each exactly once across reconnects, with all events of one revision in the same call.
   * Must not throw.
   */
  onEvents(events: readonly WatchEvent[]): void;
  /**
   * The watch is over: the revision to go on from has been compacted, or the server ended the watch for another reason
   * that resuming cannot cure. The caller lists again and starts a new watch.
   */
  onLost(error: EtcronError): void;
  /** Called once per change, not once per retry. */
  onConnection?(connected: boolean, error?: EtcronError): void;
}

export interface Watch {
  /** Idempotent; no listener call comes after it. */
  close(): void;
}

export interface CallOptions {
  /** Overall deadline in ms; the store's default otherwise. */
  deadlineMs?: number;
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly version: string;
  /** Of the file, which does not shrink by itself: this is what the quota is about. */
  readonly dbSizeBytes: number;
  /** Of it, what holds something. */
  readonly dbInUseBytes: number;
  /** As it was told to the store: etcd does not say. */
  readonly quotaBytes: number;
  /** The database reached the quota: etcd refuses writes until space is made and the alarm is disarmed. */
  readonly isFull: boolean;
  readonly isLeader: boolean;
  readonly memberId: string;
  readonly raftIndex: string;
}

/**
 * Every method rejects with a `StoreError` only. Nothing hangs: each call has a deadline. No *write* is retried inside,
 * since only the caller knows whether it is idempotent; reads may be, on another endpoint, within the deadline.
 */
export interface Store {
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;
  txn(txn: Txn, options?: CallOptions): Promise<TxnResult>;
  /**
   * Delivers the events of `range` with `modRevision >= fromRevision`, which must lie above the compacted revision.
   * Reconnects by itself, for ever, with backoff.
   */
  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch;
  /** `ttlMs` is what the server granted, which can be more than was asked (whole seconds, and a minimum). */
  leaseGrant(ttlMs: number, options?: CallOptions): Promise<{ leaseId: string; ttlMs: number }>;
  /** Renews once. `ttlMs` 0 says that the lease is gone. */
  leaseKeepAlive(leaseId: string, options?: CallOptions): Promise<{ ttlMs: number }>;
  /** Revoking a lease that is gone is no error. */
  leaseRevoke(leaseId: string, options?: CallOptions): Promise<void>;
  /** One per endpoint that answers. */
  status(options?: CallOptions): Promise<EndpointStatus[]>;
  close(): Promise<void>;
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: string): KeyRange {
  return { start: prefix, end: successorOfPrefix(prefix) };
}

/** The range that holds this one key. */
export function singleKey(key: string): KeyRange {
  return { start: key, end: `${key}\0` };
}

function successorOfPrefix(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  if (Number.isNaN(last) || last >= 0x7f)
    throw new RangeError(`no range for the prefix ${JSON.stringify(prefix)}`);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
