/**
 * A store whose changes leave a trace: each transaction that changes what people change (`audited-values.ts`) also puts an
 * audit record, in the same transaction, so that one never stands without the other.
 *
 * The record tells what was before, which a transaction cannot read and write at once. So the values are read first, and the
 * transaction compares that they are still the same:
 *
 *     read before ──▶ txn with our compares ──▶ applied
 *          ▲                   └─ refused, with the values as they are now
 *          └── they differ from what was read ──┴── they do not: it was the caller's own compare, and the answer is theirs
 *
 * A caller's compare of the same key says as much as ours would, which is then left out; one that says that there is nothing
 * yet also saves the read.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { formatAuditKey } from '../../etcd/audit-key.js';
import type { Keys } from '../../etcd/keys.js';
import { StoreError } from '../../etcd/store-error.js';
import {
  MAX_TXN_OPERATIONS,
  type CallOptions,
  type Compare,
  type KeyRange,
  type KeyValue,
  type Operation,
  type OperationResult,
  type RangeOptions,
  type Store,
  type Txn,
  type TxnResult,
  type Watch,
  type WatchListener,
} from '../../etcd/store.js';
import { get, modifiedAt, put } from '../../etcd/txn.js';
import type { Actor } from '../actor.js';
import { encodeAudit, type AuditChange } from './audit-record.js';
import { isAudited, shownValue, valueRoom } from './audited-values.js';

type Write = Exclude<Operation, { type: 'get' }>;
/** What stands at a key; undefined where there is none. */
type Found = ReadonlyMap<string, KeyValue>;

let sequence = 0;

/** Somebody changes the same key all the time. */
const MAX_TRIES = 20;

/** `actor`: in whose name everything is done that goes through the store that is returned. */
export function auditedStore(store: Store, keys: Keys, clock: Clock, actor: Actor): Store {
  return new AuditedStore(store, keys, clock, actor);
}

class AuditedStore implements Store {
  constructor(
    private readonly inner: Store,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly actor: Actor,
  ) {}

  async txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    const writes = txn.success.filter((operation) => this.changes(operation));
    if (txn.failure?.some((operation) => operation.type !== 'get'))
      throw refused('a change that is made where a compare fails cannot be audited');
    if (writes.length === 0) return this.inner.txn(txn, options);
    const single = writes.filter((write) => !isRange(write)).map(({ key }) => key);
    const pinned = new Map(txn.compare.filter(pinsRevision).map(({ key, to }) => [key, to]));
    const unpinned = single.filter((key) => !pinned.has(key));
    let found = await this.read(
      single.filter((key) => pinned.get(key) !== 0),
      options,
    );
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const answer = await this.inner.txn(this.withRecord(txn, writes, unpinned, found), options);
      const own = answer.succeeded ? txn.success : (txn.failure ?? []);
      const result = { ...answer, results: answer.results.slice(0, own.length) };
      if (answer.succeeded) return result;
      const now = foundIn(answer.results.slice(own.length));
      if (unpinned.every((key) => revisionOf(now, key) === revisionOf(found, key))) return result;
      const pinnedOnes = [...found].filter(([key]) => pinned.has(key));
      found = new Map([...pinnedOnes, ...now]);
    }
    throw refused('others change the same keys all the time');
  }

  /** The caller's compares of the keys themselves hold for what was read, or the transaction is refused anyway. */
  private withRecord(txn: Txn, writes: readonly Write[], unpinned: readonly string[], found: Found): Txn {
    const atMs = this.clock.now();
    const room = valueRoom(writes.length);
    const value = encodeAudit({
      at: atMs,
      actor: this.actor,
      changes: writes.map((write) => this.change(write, found, room)),
    });
    const key = this.keys.audit + formatAuditKey({ atMs, sizeBytes: Buffer.byteLength(value) }, nextName());
    const full = {
      compare: [...txn.compare, ...unpinned.map((key) => modifiedAt(key, revisionOf(found, key)))],
      success: [...txn.success, put(key, value)],
      failure: [...(txn.failure ?? []), ...unpinned.map((key) => get(key))],
    };
    const most = Math.max(full.compare.length, full.success.length, full.failure.length);
    if (most <= MAX_TXN_OPERATIONS) return full;
    throw refused(
      `too many changes for one transaction with an audit record: ${most}, at most ${MAX_TXN_OPERATIONS}`,
    );
  }

  private change(write: Write, found: Found, room: number): AuditChange {
    const name = write.key.slice(this.keys.prefix.length + 1);
    if (isRange(write)) return { key: `${name}*`, before: null, after: null };
    const before = shownValue(this.keys, write.key, found.get(write.key)?.value ?? null, room);
    const after = write.type === 'put' ? shownValue(this.keys, write.key, write.value, room) : null;
    return { key: name, before, after };
  }

  private changes(operation: Operation): operation is Write {
    if (operation.type === 'get') return false;
    if (operation.type === 'put' || operation.end === undefined) return isAudited(this.keys, operation.key);
    return true;
  }

  private async read(all: readonly string[], options?: CallOptions): Promise<Found> {
    const results: OperationResult[] = [];
    try {
      for (let index = 0; index < all.length; index += MAX_TXN_OPERATIONS) {
        const some = all.slice(index, index + MAX_TXN_OPERATIONS).map((key) => get(key));
        results.push(...(await this.inner.txn({ compare: [], success: some }, options)).results);
      }
    } catch (error) {
      throw error instanceof StoreError ? nothingApplied(error) : error;
    }
    return foundIn(results);
  }

  range(range: KeyRange, options?: RangeOptions) {
    return this.inner.range(range, options);
  }
  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch {
    return this.inner.watch(range, fromRevision, listener);
  }
  leaseGrant(ttlMs: number, options?: CallOptions) {
    return this.inner.leaseGrant(ttlMs, options);
  }
  leaseKeepAlive(leaseId: string, options?: CallOptions) {
    return this.inner.leaseKeepAlive(leaseId, options);
  }
  leaseRevoke(leaseId: string, options?: CallOptions) {
    return this.inner.leaseRevoke(leaseId, options);
  }
  status(options?: CallOptions) {
    return this.inner.status(options);
  }
  close() {
    return this.inner.close();
  }
}

/** Keeps the records of one process in order within a millisecond, and those of several apart. */
function nextName(): string {
  sequence = (sequence + 1) % 2 ** 16;
  return sequence.toString(16).padStart(4, '0') + randomBytes(4).toString('hex');
}

/** Holds only for one state of its key: of one revision, or that there is none. */
function pinsRevision({ target, op, to }: Compare): boolean {
  return op === '=' && (target === 'mod' || (target === 'create' && to === 0));
}

function isRange(write: Write): boolean {
  return write.type === 'delete' && write.end !== undefined;
}

function foundIn(results: readonly OperationResult[]): Map<string, KeyValue> {
  const kvs = results.flatMap((result) => (result.type === 'get' ? result.kvs : []));
  return new Map(kvs.map((kv) => [kv.key, kv]));
}

function revisionOf(found: Found, key: string): number {
  return found.get(key)?.modRevision ?? 0;
}

/** Of what was only read. */
function nothingApplied(error: StoreError): StoreError {
  const { code, message, hint, details, cause, transient } = error;
  return new StoreError(code, message, {
    ...{ details, cause, transient, maybeApplied: false },
    ...(hint === undefined ? {} : { hint }),
  });
}

function refused(message: string): StoreError {
  return new StoreError('ETCRON_ETCD_REFUSED', message, { maybeApplied: false, transient: false });
}
