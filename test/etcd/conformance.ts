/**
 * What every `Store` must do, whatever is behind it: run on real etcd and on the in-memory store, so that what the
 * simulation shows holds on the real thing. A test here states a fact about etcd that etcron relies on.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EtcronError } from '../../src/errors.js';
import { StoreError } from '../../src/etcd/store-error.js';
import {
  MAX_TXN_OPERATIONS,
  prefixRange,
  singleKey,
  type Compare,
  type KeyRange,
  type Operation,
  type Store,
  type WatchEvent,
} from '../../src/etcd/store.js';
import {
  absent,
  createdAt,
  del,
  delRange,
  exists,
  get,
  getRange,
  modifiedAt,
  put,
} from '../../src/etcd/txn.js';

export interface ConformanceSubject {
  store: Store;
  /** Compacts the history below `revision`. */
  compact(revision: number): Promise<void>;
  /** Lets a TTL of this length pass. The expiry itself may come a little later; the tests wait for its events. */
  waitForLeaseExpiry(ttlMs: number): Promise<void>;
  close(): Promise<void>;
}

const GENEROUS_MS = 30_000;

/** A watch that keeps what it is told. */
export class RecordedWatch {
  readonly batches: (readonly WatchEvent[])[] = [];
  readonly connections: boolean[] = [];
  lost: EtcronError | undefined;
  private waiters: (() => void)[] = [];
  private readonly watch: { close(): void };

  constructor(store: Store, range: KeyRange, fromRevision: number) {
    this.watch = store.watch(range, fromRevision, {
      onEvents: (events) => this.note(() => this.batches.push(events)),
      onLost: (error) => this.note(() => (this.lost = error)),
      onConnection: (connected) => this.note(() => this.connections.push(connected)),
    });
  }

  get events(): WatchEvent[] {
    return this.batches.flat();
  }

  /** `put a=1@7` or `del a@8`, with the key's part after the last slash. */
  get log(): string[] {
    return this.events.map((event) =>
      event.type === 'put'
        ? `put ${nameOf(event.kv.key)}=${event.kv.value.toString()}@${event.kv.modRevision}`
        : `del ${nameOf(event.key)}@${event.modRevision}`,
    );
  }

  /** Resolves as soon as `condition` holds; it is looked at after each call of the listener. */
  until(condition: (watch: RecordedWatch) => boolean): Promise<this> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`not in time; lost: ${this.lost?.message}; so far: ${this.log.slice(-20).join(', ')}`),
          ),
        GENEROUS_MS,
      );
      const look = (): void => {
        if (!condition(this)) return;
        clearTimeout(timer);
        this.waiters = this.waiters.filter((waiter) => waiter !== look);
        resolve(this);
      };
      this.waiters.push(look);
      look();
    });
  }

  close(): void {
    this.watch.close();
  }

  private note(change: () => void): void {
    change();
    for (const waiter of [...this.waiters]) waiter();
  }
}

export async function rejection(promise: Promise<unknown>): Promise<StoreError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return error as StoreError;
  }
  throw new Error('expected a rejection');
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** The tests of the contract. `factory` is called once; each test works below a prefix of its own. */
export function storeConformance(name: string, factory: () => Promise<ConformanceSubject>): void {
  describe(`${name}: the store contract`, () => {
    let subject: ConformanceSubject;
    let store: Store;
    let prefix: string;
    let counter = 0;
    const watches: RecordedWatch[] = [];

    beforeAll(async () => {
      subject = await factory();
      store = subject.store;
    });
    afterAll(async () => {
      for (const watch of watches) watch.close();
      await subject.close();
    });
    beforeEach(() => {
      prefix = `/conformance/${++counter}/`;
    });

    const key = (part: string): string => prefix + part;
    const all = (): KeyRange => prefixRange(prefix);
    const write = async (...operations: Operation[]): Promise<number> =>
      (await store.txn({ compare: [], success: operations })).revision;
    const read = async (part: string) => (await store.range(singleKey(key(part)))).kvs[0];
    const holds = async (compare: Compare): Promise<boolean> =>
      (await store.txn({ compare: [compare], success: [] })).succeeded;
    const watch = (fromRevision: number, range = all()): RecordedWatch => {
      const recorded = new RecordedWatch(store, range, fromRevision);
      watches.push(recorded);
      return recorded;
    };

    describe('revisions', () => {
      it('count writes: create, mod, version, and begin again after a delete', async () => {
        const first = await write(put(key('a'), 'one'));
        const created = { createRevision: first, modRevision: first, version: 1, leaseId: null };
        expect(await read('a')).toMatchObject({ key: key('a'), ...created });
        const second = await write(put(key('a'), 'two'));
        expect(second).toBe(first + 1);
        expect(await read('a')).toMatchObject({ createRevision: first, modRevision: second, version: 2 });
        const third = await write(del(key('a')));
        expect(third).toBe(second + 1);
        expect(await read('a')).toBeUndefined();
        const fourth = await write(put(key('a'), 'three'));
        expect(await read('a')).toMatchObject({ createRevision: fourth, modRevision: fourth, version: 1 });
      });

      it('are one for all writes of a transaction, and none for one that writes nothing', async () => {
        const before = await write(put(key('a'), ''));
        const revision = await write(put(key('b'), ''), put(key('c'), ''), del(key('a')));
        expect(revision).toBe(before + 1);
        const { kvs } = await store.range(all());
        expect(kvs.map((kv) => [nameOf(kv.key), kv.modRevision])).toEqual([
          ['b', revision],
          ['c', revision],
        ]);
        expect((await store.txn({ compare: [], success: [get(key('b'))] })).revision).toBe(revision);
        expect(await write(del(key('not there')))).toBe(revision);
        expect((await store.range(all())).revision).toBe(revision);
      });

      it('keep values byte for byte', async () => {
        const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
        await write(put(key('bytes'), value), put(key('text'), 'Grüße, 世界 😀'), put(key('empty'), ''));
        expect((await read('bytes'))!.value.equals(value)).toBe(true);
        expect((await read('text'))!.value.toString()).toBe('Grüße, 世界 😀');
        expect((await read('empty'))!.value).toHaveLength(0);
      });
    });

    describe('range', () => {
      it('reads in pages at one pinned revision, while others write', async () => {
        const names = Array.from({ length: 25 }, (_, index) => `k${String(index).padStart(2, '0')}`);
        const revision = await write(...names.map((part) => put(key(part), part)));
        const seen: string[] = [];
        let { start, end } = all();
        for (;;) {
          const page = await store.range({ start, end }, { limit: 10, revision });
          seen.push(...page.kvs.map((kv) => kv.value.toString()));
          if (!page.more) break;
          start = `${page.kvs.at(-1)!.key}\0`;
          const latest = await write(put(key('k24'), 'changed'), put(key('k99'), 'new'), del(key('k20')));
          expect((await store.range({ start, end }, { limit: 10, revision })).revision).toBe(latest);
        }
        expect(seen).toEqual(names);
        ({ end } = all());
        expect((await store.range({ start, end })).kvs.map((kv) => nameOf(kv.key))).toContain('k99');
      });

      it('counts the whole range, whatever the limit', async () => {
        await write(...['a', 'b', 'c'].map((part) => put(key(part), part)));
        expect(await store.range(all(), { limit: 2 })).toMatchObject({ count: 3, more: true });
        expect(await store.range(all(), { limit: 3 })).toMatchObject({ count: 3, more: false });
        expect(await store.range(all(), { countOnly: true })).toMatchObject({ count: 3, kvs: [] });
        expect(await store.range(prefixRange(key('none')))).toMatchObject({ count: 0, kvs: [], more: false });
      });

      it('can leave out the values', async () => {
        const revision = await write(put(key('a'), 'long'));
        const [kv] = (await store.range(all(), { keysOnly: true })).kvs;
        expect(kv).toMatchObject({
          key: key('a'),
          modRevision: revision,
          createRevision: revision,
          version: 1,
        });
        expect(kv!.value).toHaveLength(0);
      });

      it('orders by key, as bytes, up or down, and the end is exclusive', async () => {
        // As UTF-16, the order that strings have in JavaScript, the last two would be the other way round.
        const ordered = ['A', 'Z', 'a', 'ab', 'b', 'é', '\uff5e', '😀'];
        await write(...[...ordered].reverse().map((part) => put(key(part), '')));
        const names = async (range: KeyRange, options = {}): Promise<string[]> =>
          (await store.range(range, options)).kvs.map((kv) => nameOf(kv.key));
        expect(await names(all())).toEqual(ordered);
        expect(await names(all(), { descending: true })).toEqual([...ordered].reverse());
        expect(await names(all(), { descending: true, limit: 2 })).toEqual(['😀', '\uff5e']);
        expect(await names({ start: key('a'), end: key('b') })).toEqual(['a', 'ab']);
        expect(await names({ start: key('a'), end: key('b') }, { descending: true, limit: 1 })).toEqual([
          'ab',
        ]);
        expect(await names({ start: key('b'), end: key('a') })).toEqual([]);
        expect(await names(singleKey(key('a')))).toEqual(['a']);
      });

      it('serves a read that need not be the newest', async () => {
        await write(put(key('a'), '1'));
        expect((await store.range(all(), { linearizable: false })).revision).toBeGreaterThan(0);
      });

      it('refuses a compacted revision and says so, but serves the compacted-to one', async () => {
        const first = await write(put(key('a'), '1'));
        const second = await write(put(key('a'), '2'));
        const third = await write(put(key('a'), '3'));
        await subject.compact(second);
        const error = await rejection(store.range(all(), { revision: first }));
        expect(error).toMatchObject({ code: 'ETCRON_ETCD_REFUSED', maybeApplied: false, transient: false });
        expect(error.details.compacted).toBe(true);
        const valueAt = async (revision: number) =>
          (await store.range(all(), { revision })).kvs[0]!.value.toString();
        expect(await valueAt(second)).toBe('2');
        expect(await valueAt(third)).toBe('3');
      });

      it('refuses a revision that is not there yet', async () => {
        const { revision } = await store.range(all());
        const error = await rejection(store.range(all(), { revision: revision + 1000 }));
        expect(error.code).toBe('ETCRON_ETCD_REFUSED');
        expect(error.details.compacted).toBeUndefined();
      });
    });

    describe('compares', () => {
      it('see a key that exists', async () => {
        const { leaseId } = await store.leaseGrant(60_000);
        const created = await write(put(key('a'), 'm', leaseId));
        const modified = await write(put(key('a'), 'm', leaseId));
        const numbers = { create: created, mod: modified, version: 2 } as const;
        for (const target of ['create', 'mod', 'version'] as const) {
          const is = numbers[target];
          const result = (op: Compare['op'], to: number) => holds({ key: key('a'), target, op, to });
          expect([await result('=', is), await result('=', is - 1), await result('=', 0)]).toEqual([
            true,
            false,
            false,
          ]);
          expect([await result('!=', is), await result('!=', is + 1), await result('!=', 0)]).toEqual([
            false,
            true,
            true,
          ]);
          expect([await result('<', is), await result('<', is + 1)]).toEqual([false, true]);
          expect([await result('>', is), await result('>', is - 1)]).toEqual([false, true]);
        }
        const value = (op: Compare['op'], to: string) => holds({ key: key('a'), target: 'value', op, to });
        expect([await value('=', 'm'), await value('=', 'n')]).toEqual([true, false]);
        expect([await value('!=', 'm'), await value('!=', 'n')]).toEqual([false, true]);
        expect([await value('<', 'n'), await value('<', 'm'), await value('<', 'é')]).toEqual([
          true,
          false,
          true,
        ]);
        expect([await value('>', 'a'), await value('>', 'm'), await value('>', '')]).toEqual([
          true,
          false,
          true,
        ]);
        const lease = (op: Compare['op'], to: string) => holds({ key: key('a'), target: 'lease', op, to });
        expect([await lease('=', leaseId), await lease('=', '0')]).toEqual([true, false]);
        expect([await lease('!=', leaseId), await lease('!=', '0')]).toEqual([false, true]);
        await store.leaseRevoke(leaseId);
      });

      it('see create, mod, version and lease 0 where there is no key, and no value at all', async () => {
        const missing = key('missing');
        for (const target of ['create', 'mod', 'version'] as const) {
          expect(await holds({ key: missing, target, op: '=', to: 0 })).toBe(true);
          expect(await holds({ key: missing, target, op: '!=', to: 0 })).toBe(false);
          expect(await holds({ key: missing, target, op: '<', to: 1 })).toBe(true);
          expect(await holds({ key: missing, target, op: '>', to: 0 })).toBe(false);
        }
        expect(await holds({ key: missing, target: 'lease', op: '=', to: '0' })).toBe(true);
        // etcd holds no compare of a value true that is not there, not even "is not x".
        expect(await holds({ key: missing, target: 'value', op: '=', to: '' })).toBe(false);
        expect(await holds({ key: missing, target: 'value', op: '!=', to: 'x' })).toBe(false);
        expect(await holds({ key: missing, target: 'value', op: '<', to: 'x' })).toBe(false);
      });

      it('have builders that mean what they are called', async () => {
        const created = await write(put(key('a'), '1'));
        const modified = await write(put(key('a'), '2'));
        expect([await holds(exists(key('a'))), await holds(exists(key('b')))]).toEqual([true, false]);
        expect([await holds(absent(key('a'))), await holds(absent(key('b')))]).toEqual([false, true]);
        expect([
          await holds(createdAt(key('a'), created)),
          await holds(createdAt(key('a'), modified)),
        ]).toEqual([true, false]);
        expect([
          await holds(modifiedAt(key('a'), modified)),
          await holds(modifiedAt(key('a'), created)),
        ]).toEqual([true, false]);
        expect(await holds(modifiedAt(key('b'), 0))).toBe(true);
        await write(del(key('a')));
        await write(put(key('a'), '3'));
        expect(await holds(createdAt(key('a'), created))).toBe(false);
      });

      it('must all hold', async () => {
        await write(put(key('a'), '1'));
        const txn = (compare: Compare[]) => store.txn({ compare, success: [] });
        expect((await txn([])).succeeded).toBe(true);
        expect((await txn([exists(key('a')), absent(key('b'))])).succeeded).toBe(true);
        expect((await txn([exists(key('a')), absent(key('b')), exists(key('c'))])).succeeded).toBe(false);
      });
    });

    describe('transactions', () => {
      it('run one branch, and give one result for each of its operations', async () => {
        await write(put(key('a'), '1'), put(key('x1'), ''), put(key('x2'), ''));
        const claim = {
          compare: [absent(key('lock'))],
          success: [put(key('lock'), 'me'), delRange(prefixRange(key('x'))), get(key('a')), del(key('none'))],
          failure: [get(key('lock')), getRange(prefixRange(key('a')), { limit: 1, keysOnly: true })],
        };
        const won = await store.txn(claim);
        expect(won.succeeded).toBe(true);
        expect(won.results.map((result) => result.type)).toEqual(['put', 'delete', 'get', 'delete']);
        expect(won.results[1]).toEqual({ type: 'delete', deleted: 2 });
        expect(won.results[3]).toEqual({ type: 'delete', deleted: 0 });
        expect(won.results[2]).toMatchObject({ kvs: [{ key: key('a') }] });
        const lost = await store.txn(claim);
        expect(lost.succeeded).toBe(false);
        expect(lost.revision).toBe(won.revision);
        const holder = lost.results[0]!;
        if (holder.type !== 'get') throw new Error('expected a get');
        expect(holder.kvs[0]).toMatchObject({ createRevision: won.revision, key: key('lock') });
        expect(holder.kvs[0]!.value.toString()).toBe('me');
      });

      it('read what they wrote before', async () => {
        await write(put(key('a'), 'old'), put(key('b'), 'old'));
        const { results } = await store.txn({
          compare: [],
          success: [get(key('a')), put(key('a'), 'new'), get(key('a')), del(key('b')), getRange(all())],
        });
        const values = results.map((result) =>
          result.type === 'get' ? result.kvs.map((kv) => kv.value.toString()) : [],
        );
        expect(values).toEqual([['old'], [], ['new'], [], ['new']]);
      });

      it('may have nothing to do', async () => {
        expect(await store.txn({ compare: [exists(key('a'))], success: [put(key('b'), '')] })).toMatchObject({
          succeeded: false,
          results: [],
        });
        expect(await read('b')).toBeUndefined();
      });

      it('refuse to write a key twice, and then do nothing', async () => {
        const twice: Operation[][] = [
          [put(key('a'), '1'), put(key('a'), '2')],
          [put(key('a'), '1'), del(key('a'))],
          [del(key('a')), put(key('a'), '1')],
          [put(key('a'), '1'), delRange(all())],
        ];
        for (const operations of twice) {
          const error = await rejection(
            store.txn({ compare: [], success: [put(key('b'), ''), ...operations] }),
          );
          expect(error).toMatchObject({ code: 'ETCRON_ETCD_REFUSED', maybeApplied: false, transient: false });
        }
        expect((await store.range(all())).count).toBe(0);
        const branches = {
          compare: [exists(key('a'))],
          success: [put(key('a'), '1')],
          failure: [put(key('a'), '2')],
        };
        await store.txn(branches);
        expect((await read('a'))!.value.toString()).toBe('2');
        expect(await write(del(key('a')), del(key('a')))).toBeGreaterThan(0);
      });

      it(`hold ${MAX_TXN_OPERATIONS} compares and operations, and no more`, async () => {
        const many = (count: number) => Array.from({ length: count }, (_, index) => key(String(index)));
        const fits = await store.txn({
          compare: many(MAX_TXN_OPERATIONS).map(absent),
          success: many(MAX_TXN_OPERATIONS).map((each) => put(each, '')),
        });
        expect([fits.succeeded, fits.results.length]).toEqual([true, MAX_TXN_OPERATIONS]);
        const puts = many(MAX_TXN_OPERATIONS + 1).map((each) => put(each, 'more'));
        const tooLarge = [
          { compare: [], success: puts },
          { compare: [], success: [], failure: puts },
          { compare: many(MAX_TXN_OPERATIONS + 1).map(exists), success: [] },
        ];
        for (const txn of tooLarge) {
          const error = await rejection(store.txn(txn));
          expect(error).toMatchObject({ code: 'ETCRON_ETCD_REFUSED', maybeApplied: false, transient: false });
        }
        expect((await store.range(all())).count).toBe(MAX_TXN_OPERATIONS);
      });
    });

    describe('leases', () => {
      it('are renewed, and take their keys with them, all at one revision, when revoked', async () => {
        const { leaseId, ttlMs } = await store.leaseGrant(60_000);
        expect(ttlMs).toBeGreaterThanOrEqual(60_000);
        expect(leaseId).toMatch(/^[1-9]\d*$/);
        expect(await store.leaseKeepAlive(leaseId)).toEqual({ ttlMs });
        const revision = await write(
          put(key('a'), '1', leaseId),
          put(key('b'), '1', leaseId),
          put(key('c'), '1'),
        );
        expect(await read('a')).toMatchObject({ leaseId });
        const recorded = watch(revision + 1);
        await store.leaseRevoke(leaseId);
        await recorded.until(({ events }) => events.length >= 2);
        expect(recorded.batches).toHaveLength(1);
        expect([...recorded.log].sort()).toEqual([`del a@${revision + 1}`, `del b@${revision + 1}`]);
        expect((await store.range(all())).kvs.map((kv) => nameOf(kv.key))).toEqual(['c']);
      });

      it('have ids of their own', async () => {
        const leases = await Promise.all([1, 2, 3].map(() => store.leaseGrant(60_000)));
        expect(new Set(leases.map((lease) => lease.leaseId)).size).toBe(3);
        await Promise.all(leases.map((lease) => store.leaseRevoke(lease.leaseId)));
      });

      it('that are gone renew to 0, and may be revoked again', async () => {
        const { leaseId } = await store.leaseGrant(60_000);
        await store.leaseRevoke(leaseId);
        expect(await store.leaseKeepAlive(leaseId)).toEqual({ ttlMs: 0 });
        await store.leaseRevoke(leaseId);
        expect(await store.leaseKeepAlive('987654321')).toEqual({ ttlMs: 0 });
      });

      it('that are gone take no keys: the whole transaction is refused', async () => {
        const { leaseId } = await store.leaseGrant(60_000);
        await store.leaseRevoke(leaseId);
        const error = await rejection(write(put(key('b'), ''), put(key('a'), '', leaseId)));
        expect(error).toMatchObject({ code: 'ETCRON_LEASE_LOST', maybeApplied: false, transient: false });
        expect((await store.range(all())).count).toBe(0);
      });

      it('let go of a key that is put without one, or with another one', async () => {
        const first = await store.leaseGrant(60_000);
        const second = await store.leaseGrant(60_000);
        await write(
          put(key('a'), '', first.leaseId),
          put(key('b'), '', first.leaseId),
          put(key('c'), '', first.leaseId),
        );
        await write(put(key('a'), ''), put(key('b'), '', second.leaseId));
        expect(await read('a')).toMatchObject({ leaseId: null });
        await store.leaseRevoke(first.leaseId);
        expect((await store.range(all())).kvs.map((kv) => nameOf(kv.key))).toEqual(['a', 'b']);
        await store.leaseRevoke(second.leaseId);
        expect((await store.range(all())).kvs.map((kv) => nameOf(kv.key))).toEqual(['a']);
      });

      it('expire without renewal, and delete their keys at one revision', async () => {
        const { leaseId, ttlMs } = await store.leaseGrant(2_000);
        const revision = await write(
          put(key('a'), '', leaseId),
          put(key('b'), '', leaseId),
          put(key('c'), ''),
        );
        const recorded = watch(revision + 1);
        await subject.waitForLeaseExpiry(ttlMs);
        await recorded.until(({ events }) => events.length >= 2);
        expect(recorded.batches).toHaveLength(1);
        expect([...recorded.log].sort()).toEqual([`del a@${revision + 1}`, `del b@${revision + 1}`]);
        expect(await store.leaseKeepAlive(leaseId)).toEqual({ ttlMs: 0 });
      });

      it('granted for less than a second live at least one', async () => {
        const { leaseId, ttlMs } = await store.leaseGrant(100);
        expect(ttlMs).toBeGreaterThanOrEqual(1_000);
        expect(ttlMs % 1_000).toBe(0);
        await store.leaseRevoke(leaseId);
      });
    });

    describe('watches', () => {
      it('deliver past events from the revision that was asked for, then new ones', async () => {
        const first = await write(put(key('a'), '1'));
        await write(put(key('a'), '2'));
        await write(del(key('a')));
        const recorded = watch(first + 1);
        await recorded.until(({ events }) => events.length >= 2);
        await write(put(key('a'), '3'));
        await recorded.until(({ events }) => events.length >= 3);
        expect(recorded.log).toEqual([`put a=2@${first + 1}`, `del a@${first + 2}`, `put a=3@${first + 3}`]);
        expect(recorded.connections).toEqual([true]);
        const [, , third] = recorded.events;
        expect(third).toMatchObject({
          type: 'put',
          kv: { createRevision: first + 3, version: 1, leaseId: null },
        });
      });

      it('wait for a revision that is not there yet', async () => {
        const first = await write(put(key('a'), '1'));
        const recorded = watch(first + 3);
        await recorded.until(({ connections }) => connections.length > 0);
        for (const value of ['2', '3', '4', '5']) await write(put(key('a'), value));
        await recorded.until(({ events }) => events.length >= 2);
        expect(recorded.log).toEqual([`put a=4@${first + 3}`, `put a=5@${first + 4}`]);
      });

      it('deliver only what lies in their range', async () => {
        const first = await write(put(key('b'), '1'));
        const recorded = watch(first, { start: key('b'), end: key('d') });
        const revision = await write(...['a', 'b', 'c', 'd', 'e'].map((part) => put(key(part), '2')));
        await write(delRange(all()));
        await recorded.until(({ events }) => events.length >= 5);
        expect(recorded.log).toEqual([
          `put b=1@${first}`,
          `put b=2@${revision}`,
          `put c=2@${revision}`,
          `del b@${revision + 1}`,
          `del c@${revision + 1}`,
        ]);
      });

      it('keep the events of a revision together, in the order of the operations', async () => {
        const first = await write(put(key('gone'), ''));
        const recorded = watch(first + 1);
        const names = Array.from({ length: 100 }, (_, index) => `k${99 - index}`);
        const revision = await write(...names.map((part) => put(key(part), '')), del(key('gone')));
        await recorded.until(({ events }) => events.length >= 101);
        expect(recorded.batches).toHaveLength(1);
        expect(recorded.log).toEqual([
          ...names.map((part) => `put ${part}=@${revision}`),
          `del gone@${revision}`,
        ]);
      });

      it('catch up on 5,000 events in order, with none lost and none twice', async () => {
        const first = (await store.range(all())).revision + 1;
        const recordedLive = watch(first);
        for (let start = 0; start < 5_000; start += 50) {
          await Promise.all(
            Array.from({ length: 50 }, (_, offset) =>
              write(put(key(`k${(start + offset) % 700}`), String(start + offset))),
            ),
          );
        }
        const recorded = watch(first);
        await recorded.until(({ events }) => events.length >= 5_000);
        await recordedLive.until(({ events }) => events.length >= 5_000);
        const revisions = recorded.events.map((event) => (event.type === 'put' ? event.kv.modRevision : 0));
        expect(revisions).toEqual(Array.from({ length: 5_000 }, (_, index) => first + index));
        expect(recordedLive.log).toEqual(recorded.log);
      });

      it('are lost when the revision to go on from has been compacted, and say what was', async () => {
        const first = await write(put(key('a'), '1'));
        const second = await write(put(key('a'), '2'));
        await write(put(key('a'), '3'));
        await subject.compact(second);
        const lost = watch(first);
        await lost.until((recorded) => recorded.lost !== undefined);
        expect(lost.lost).toMatchObject({
          code: 'ETCRON_ETCD_REFUSED',
          details: { compactRevision: second },
        });
        expect(lost.events).toEqual([]);
        // At the compacted revision itself puts are still there, but a delete would be gone.
        const atTheEdge = watch(second);
        await atTheEdge.until((recorded) => recorded.lost !== undefined);
        expect(atTheEdge.events).toEqual([]);
        const kept = watch(second + 1);
        await kept.until(({ events }) => events.length >= 1);
        expect(kept.log).toEqual([`put a=3@${second + 1}`]);
        await write(put(key('a'), '4'));
        await kept.until(({ events }) => events.length >= 2);
        expect(lost.events).toEqual([]);
      });

      it('go on through a compaction of what they have seen', async () => {
        const first = await write(put(key('a'), '1'));
        const recorded = watch(first);
        await recorded.until(({ events }) => events.length >= 1);
        await write(put('/conformance/elsewhere', '1'));
        await subject.compact(await write(put('/conformance/elsewhere', '2')));
        await write(put(key('a'), '2'));
        await recorded.until(({ events }) => events.length >= 2);
        expect(recorded.lost).toBeUndefined();
      });

      it('say nothing after they are closed', async () => {
        const first = await write(put(key('a'), '1'));
        const closed = watch(first);
        const atOnce = watch(first);
        atOnce.close();
        await closed.until(({ events }) => events.length >= 1);
        closed.close();
        closed.close();
        const witness = watch(first);
        await write(put(key('a'), '2'));
        await witness.until(({ events }) => events.length >= 2);
        expect(closed.log).toEqual([`put a=1@${first}`]);
        expect([atOnce.events, atOnce.connections, atOnce.lost]).toEqual([[], [], undefined]);
      });

      it('may be closed from within their own listener', async () => {
        const first = await write(put(key('a'), '1'));
        await write(put(key('a'), '2'));
        let calls = 0;
        const witness = watch(first);
        await new Promise<void>((resolve) => {
          const own = store.watch(all(), first, {
            onEvents: () => {
              calls += 1;
              own.close();
              resolve();
            },
            onLost: () => undefined,
          });
        });
        await write(put(key('a'), '3'));
        await witness.until(({ events }) => events.length >= 3);
        expect(calls).toBe(1);
      });
    });

    it('reports at least one endpoint', async () => {
      const endpoints = await store.status();
      expect(endpoints.length).toBeGreaterThan(0);
      expect(endpoints.some((endpoint) => endpoint.isLeader)).toBe(true);
    });
  });
}
