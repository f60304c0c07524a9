/**
 * An etcd in memory, for unit tests and the simulation: revisions, transactions, leases, watches and compaction with
 * the semantics of a real server, as observed on etcd 3.4.23:
 *
 *  - The revision starts at 1. A transaction that changes something takes one revision for all its changes; reads, and
 *    deletes that find nothing, take none.
 *  - A revision holds at most one version of a key.
 *  - The end of a lease deletes its keys, in key order, in one revision of its own.
 *  - Below the compact revision nothing can be read; a watch must begin above it (etcd has lost deletes at it).
 *
 * The server itself is synchronous: a call is applied in one piece, so calls are trivially linearizable. All that is
 * asynchronous, slow or broken lies in the clients (`MemoryStore`). Nothing is ever forgotten in `history` and
 * `changes`, which are there for checkers.
 */
import type { Clock } from '../clock.js';
import { holds } from '../etcd/compare.js';
import type {
  KeyRange,
  KeyValue,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  Txn,
  TxnResult,
  WatchEvent,
} from '../etcd/store.js';
import { KeySpace, compareKeys } from './key-space.js';
import { Leases } from './leases.js';
import { MemoryStore, type MemoryStoreOptions } from './memory-store.js';
import { compacted, leaseNotFound, refused } from './refusals.js';
import { checkKey, checkTxn } from './txn-rules.js';

/** Something that the server did, in the order in which it did it. Refused requests and ranges are not listed. */
export interface HistoryEntry {
  /** The server's revision after it. */
  readonly revision: number;
  /** Wall time of the server's clock. */
  readonly atMs: number;
  /** Name of the client; `etcd` for what the server did by itself. */
  readonly client: string;
  readonly action:
    | { readonly type: 'txn'; readonly txn: Txn; readonly result: TxnResult }
    | { readonly type: 'lease-grant'; readonly leaseId: string; readonly ttlMs: number }
    | {
        readonly type: 'lease-revoke' | 'lease-expire';
        readonly leaseId: string;
        readonly deleted: readonly string[];
      }
    | { readonly type: 'compact' };
}

/** One revision. */
export interface Change {
  readonly revision: number;
  readonly atMs: number;
  readonly client: string;
  readonly events: readonly WatchEvent[];
}

const EMPTY = Buffer.alloc(0);
const SERVER = 'etcd';

export class MemoryEtcd {
  readonly history: HistoryEntry[] = [];
  /** Revision 2 comes first: revision 1 is the empty store. */
  readonly changes: Change[] = [];
  private readonly keys = new KeySpace();
  private readonly leases: Leases;
  private readonly observers = new Set<(change: Change) => void>();
  private currentRevision = 1;
  private compactedRevision = 0;
  private clients = 0;

  /**
   * Without `keepHistory` (default true) `history` stays empty; `leaseCheckMs`, etcd's 500 ms by default, is how often the end
   * of leases is looked for.
   */
  constructor(
    readonly clock: Clock,
    private readonly options: { readonly keepHistory?: boolean; readonly leaseCheckMs?: number } = {},
  ) {
    const onExpired = (leaseId: string): void => this.endLease(leaseId, 'lease-expire', SERVER);
    this.leases = new Leases(clock, onExpired, options.leaseCheckMs);
  }

  /** A new client of this server; its name (default `client-<n>`) appears in the history. */
  connect(options: MemoryStoreOptions = {}): MemoryStore {
    return new MemoryStore(this, { name: `client-${++this.clients}`, ...options });
  }

  get revision(): number {
    return this.currentRevision;
  }

  /** 0 before the first compaction. */
  get compactRevision(): number {
    return this.compactedRevision;
  }

  /** The key as it is now: for assertions, without a client. */
  get(key: string): KeyValue | null {
    return this.keys.get(key);
  }

  range(range: KeyRange, options: RangeOptions = {}): RangeResult {
    checkKey(range.start);
    const at =
      options.revision !== undefined && options.revision > 0 ? options.revision : this.currentRevision;
    if (at > this.currentRevision) throw refused('required revision is a future revision', { future: true });
    if (at < this.compactedRevision) throw compacted(this.compactedRevision);
    const all = this.keys.range(range.start, range.end, at);
    if (options.countOnly) return { revision: this.currentRevision, kvs: [], more: false, count: all.length };
    if (options.descending) all.reverse();
    const kvs = limited(all, options);
    return { revision: this.currentRevision, kvs, more: kvs.length < all.length, count: all.length };
  }

  txn(txn: Txn, client: string = SERVER): TxnResult {
    checkTxn(txn);
    const succeeded = txn.compare.every((compare) => holds(compare, this.keys.get(compare.key)));
    const branch = succeeded ? txn.success : (txn.failure ?? []);
    for (const operation of branch) {
      if (operation.type !== 'put' || operation.leaseId === undefined || operation.leaseId === '0') continue;
      if (!this.leases.has(operation.leaseId)) throw leaseNotFound(operation.leaseId);
    }
    const events: WatchEvent[] = [];
    const results = branch.map((operation) => this.perform(operation, events));
    const change = this.commit(events, client);
    const result = { succeeded, revision: this.currentRevision, results };
    this.note(client, { type: 'txn', txn, result });
    this.announce(change);
    return result;
  }

  leaseGrant(ttlMs: number, client: string = SERVER): { leaseId: string; ttlMs: number } {
    const lease = this.leases.grant(ttlMs);
    this.note(client, { type: 'lease-grant', ...lease });
    return lease;
  }

  leaseKeepAlive(leaseId: string): Promise<{ ttlMs: number }> {
    return this.leases.keepAlive(leaseId);
  }

  leaseRevoke(leaseId: string, client: string = SERVER): void {
    this.endLease(leaseId, 'lease-revoke', client);
  }

  /** Ids of the leases that stand, oldest first. */
  leaseIds(): string[] {
    return this.leases.ids();
  }

  /** What an etcd leader change does to leases: all get their full time again. */
  renewAllLeases(): void {
    this.leases.renewAll();
  }

  compact(revision: number = this.currentRevision, client: string = SERVER): void {
    if (revision > this.currentRevision)
      throw refused('required revision is a future revision', { future: true });
    if (revision <= this.compactedRevision) throw compacted(this.compactedRevision);
    this.compactedRevision = revision;
    this.keys.compact(revision);
    this.note(client, { type: 'compact' });
  }

  /** Calls `observer` inside the call that makes a revision; gives back how to end it. */
  observe(observer: (change: Change) => void): () => void {
    this.observers.add(observer);
    return () => void this.observers.delete(observer);
  }

  /** At most `limit` revisions from `fromRevision` on. */
  changesFrom(fromRevision: number, limit: number): readonly Change[] {
    const index = Math.max(0, fromRevision - 2);
    return this.changes.slice(index, index + limit);
  }

  private perform(operation: Operation, events: WatchEvent[]): OperationResult {
    switch (operation.type) {
      case 'put':
        this.put(operation, events);
        return { type: 'put' };
      case 'delete': {
        const doomed = this.keys.range(operation.key, operation.end);
        for (const kv of doomed) this.delete(kv, events);
        return { type: 'delete', deleted: doomed.length };
      }
      case 'get':
        return { type: 'get', kvs: limited(this.keys.range(operation.key, operation.end), operation) };
    }
  }

  private put(operation: Extract<Operation, { type: 'put' }>, events: WatchEvent[]): void {
    const { key } = operation;
    const leaseId = operation.leaseId === undefined || operation.leaseId === '0' ? null : operation.leaseId;
    const before = this.keys.get(key)?.leaseId ?? null;
    if (before !== null && before !== leaseId) this.leases.detach(before, key);
    if (leaseId !== null) this.leases.attach(leaseId, key);
    const value = Buffer.from(operation.value);
    events.push({ type: 'put', kv: this.keys.put(key, value, leaseId, this.currentRevision + 1) });
  }

  private delete(kv: KeyValue, events: WatchEvent[]): void {
    if (kv.leaseId !== null) this.leases.detach(kv.leaseId, kv.key);
    this.keys.delete(kv.key, this.currentRevision + 1);
    events.push({ type: 'delete', key: kv.key, modRevision: this.currentRevision + 1 });
  }

  private endLease(leaseId: string, type: 'lease-revoke' | 'lease-expire', client: string): void {
    const deleted = this.leases.remove(leaseId);
    if (deleted === null) return;
    deleted.sort(compareKeys);
    const events: WatchEvent[] = [];
    for (const key of deleted) this.delete(this.keys.get(key)!, events);
    const change = this.commit(events, client);
    this.note(client, { type, leaseId, deleted });
    this.announce(change);
  }

  private commit(events: WatchEvent[], client: string): Change | null {
    if (events.length === 0) return null;
    const change = { revision: ++this.currentRevision, atMs: this.clock.now(), client, events };
    this.changes.push(change);
    return change;
  }

  private announce(change: Change | null): void {
    if (change === null) return;
    for (const observer of [...this.observers]) observer(change);
  }

  private note(client: string, action: HistoryEntry['action']): void {
    if (this.options.keepHistory === false) return;
    this.history.push({ revision: this.currentRevision, atMs: this.clock.now(), client, action });
  }
}

function limited(kvs: KeyValue[], options: { limit?: number; keysOnly?: boolean }): KeyValue[] {
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : kvs.length;
  const chosen = kvs.slice(0, limit);
  return options.keysOnly ? chosen.map((kv) => ({ ...kv, value: EMPTY })) : chosen;
}
