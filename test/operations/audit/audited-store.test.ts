import { beforeEach, describe, expect, it } from 'vitest';
import type { StoreError } from '../../../src/etcd/store-error.js';
import { Keys } from '../../../src/etcd/keys.js';
import { MAX_TXN_OPERATIONS, type Store, type Txn } from '../../../src/etcd/store.js';
import { absent, del, delRange, exists, get, modifiedAt, put } from '../../../src/etcd/txn.js';
import { prefixRange } from '../../../src/etcd/store.js';
import { auditedStore } from '../../../src/operations/audit/audited-store.js';
import { listAudit, type AuditQuery } from '../../../src/operations/audit/list-audit.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import type { Intercept } from '../../../src/testing/memory-store.js';
import { unreachable } from '../../../src/testing/refusals.js';

const keys = new Keys();
const T0 = Date.UTC(2026, 10, 22, 3);
const anna = { name: 'anna', role: 'admin', via: 'api' } as const;

let clock: FakeClock;
let etcd: MemoryEtcd;
let intercept: Intercept;
let store: Store;

beforeEach(() => {
  clock = new FakeClock(T0);
  etcd = new MemoryEtcd(clock);
  intercept = () => undefined;
  store = auditedStore(etcd.connect({ intercept: (call) => intercept(call) }), keys, clock, anna);
});

async function settled<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const tracked = work.finally(() => (done = true));
  tracked.catch(() => undefined);
  while (!done) await clock.advance(0);
  return tracked;
}

const txn = (request: Txn) => settled(store.txn(request));
const change = (...success: Txn['success']) => txn({ compare: [], success });
const records = async (query: Partial<AuditQuery> = {}) =>
  (await settled(listAudit({ store, keys }, { limit: 100, ...query }))).records;
const changes = async () => (await records()).flatMap((record) => record.changes);

/** Past the audited store. */
const behind = (key: string, value: string): void => {
  etcd.txn({ compare: [], success: [put(key, value)] });
};

describe('auditedStore', () => {
  it('records who changed what, and what it was before and after, with the change itself', async () => {
    const writes: number[] = [];
    etcd.observe(({ events }) => writes.push(events.length));
    await change(put(keys.job('a'), 'one'));
    await clock.advance(1_000);
    await change(put(keys.job('a'), 'two'));
    await clock.advance(1_000);
    await change(del(keys.job('a')));
    const found = await records();
    expect(found.map(({ at, actor, changes }) => ({ at, actor, changes }))).toEqual([
      { at: T0 + 2_000, actor: anna, changes: [{ key: 'jobs/a', before: 'two', after: null }] },
      { at: T0 + 1_000, actor: anna, changes: [{ key: 'jobs/a', before: 'one', after: 'two' }] },
      { at: T0, actor: anna, changes: [{ key: 'jobs/a', before: null, after: 'one' }] },
    ]);
    expect(writes).toEqual([2, 2, 2]);
  });

  it.each([
    [keys.job('a'), true],
    [keys.limit('db'), true],
    [keys.setOf('a'), true],
    [keys.kill({ job: 'a', dueMs: T0, suffix: null }), true],
    [`${keys.drains}w1`, true],
    [keys.handover, true],
    [keys.token('0123456789ab'), true],
    [keys.firing({ job: 'a', dueMs: T0, suffix: 'manual-1' }), true],
    [keys.firing({ job: 'a', dueMs: T0, suffix: 'rerun-20261122T030000Z-1a2b' }), true],
    [keys.firing({ job: 'a', dueMs: T0, suffix: 'backfill-20261122T030000Z-1a2b' }), true],
    [keys.firing({ job: 'a', dueMs: T0, suffix: null }), false],
    [keys.run({ job: 'a', dueMs: T0, suffix: null }), false],
    [keys.cursor, false],
    [keys.worker('w1-abc'), false],
    ['/elsewhere/jobs/a', false],
  ])('of %s: %j', async (key, audited) => {
    await change(put(key, '{}'));
    expect(await records()).toHaveLength(audited ? 1 : 0);
  });

  it('records nothing of what is refused, and answers as the store does', async () => {
    behind(keys.job('a'), 'one');
    const result = await txn({
      compare: [absent(keys.job('a'))],
      success: [put(keys.job('a'), 'two')],
      failure: [get(keys.job('a'))],
    });
    expect(result.succeeded).toBe(false);
    expect(result.results).toHaveLength(1);
    expect(result.results[0]).toMatchObject({ type: 'get', kvs: [{ key: keys.job('a') }] });
    expect(await records()).toEqual([]);
  });

  it('answers with the results of what was asked alone', async () => {
    const result = await change(get(keys.job('a')), put(keys.job('a'), 'one'));
    expect(result).toMatchObject({ succeeded: true, results: [{ type: 'get', kvs: [] }, { type: 'put' }] });
  });

  it('tells the value that was really there, when somebody else changes it in between', async () => {
    behind(keys.job('a'), 'one');
    let reads = 0;
    intercept = ({ phase, method }) => {
      if (phase === 'reply' && method === 'txn' && ++reads === 1) behind(keys.job('a'), 'meanwhile');
    };
    await change(put(keys.job('a'), 'two'));
    expect(await changes()).toEqual([{ key: 'jobs/a', before: 'meanwhile', after: 'two' }]);
  });

  it('does so too when it is deleted in between, or first made', async () => {
    behind(keys.job('a'), 'one');
    let reads = 0;
    intercept = ({ phase, method }) => {
      if (phase !== 'reply' || method !== 'txn' || ++reads > 1) return;
      etcd.txn({ compare: [], success: [del(keys.job('a')), put(keys.job('b'), 'made')] });
    };
    await change(put(keys.job('a'), 'two'), put(keys.job('b'), 'two'));
    expect(await changes()).toEqual([
      { key: 'jobs/a', before: null, after: 'two' },
      { key: 'jobs/b', before: 'made', after: 'two' },
    ]);
  });

  it('leaves the decision to the compares of the caller', async () => {
    behind(keys.job('a'), 'one');
    const seen = etcd.get(keys.job('a'))!.modRevision;
    behind(keys.job('a'), 'two');
    const refused = await txn({
      compare: [modifiedAt(keys.job('a'), seen)],
      success: [put(keys.job('a'), 'three')],
    });
    expect(refused.succeeded).toBe(false);
    expect(await records()).toEqual([]);
    const present = await txn({
      compare: [exists(keys.job('a'))],
      success: [del(keys.job('a')), put(keys.job('b'), 'x')],
    });
    expect(present.succeeded).toBe(true);
    expect(await changes()).toEqual([
      { key: 'jobs/a', before: 'two', after: null },
      { key: 'jobs/b', before: null, after: 'x' },
    ]);
  });

  it('gives up where others never leave the key alone', async () => {
    let revision = 0;
    intercept = ({ phase, method }) => {
      if (phase === 'reply' && method === 'txn') behind(keys.job('a'), String((revision += 1)));
    };
    await expect(change(put(keys.job('a'), 'mine'))).rejects.toThrow('others change the same keys');
    expect(await changes()).toEqual([]);
  });

  it('never shows the hash of a token', async () => {
    const record = { name: 'n', role: 'viewer', hash: 'a'.repeat(64), createdBy: 'x' };
    await change(put(keys.token('0123456789ab'), JSON.stringify(record)));
    await clock.advance(1);
    await change(put(keys.token('0123456789ab'), 'aaaaaaaa'));
    const shown = await changes();
    expect(JSON.stringify(shown)).not.toContain('aaaa');
    expect(JSON.parse(shown[1]!.after!)).toEqual({ name: 'n', role: 'viewer', createdBy: 'x' });
    expect(shown[0]!.after).toBe('(not shown)');
  });

  it('cuts long values, and stays below what etcd takes however many there are', async () => {
    await change(put(keys.job('a'), 'é'.repeat(20_000)));
    const after = (await changes())[0]?.after ?? '';
    expect(Buffer.byteLength(after)).toBeLessThanOrEqual(16 * 1024);
    expect(after).toMatch(/^é+… \(cut, of 40000 bytes\)$/);
    const many = Array.from({ length: 60 }, (_, index) => put(keys.job(`j${index}`), 'x'.repeat(20_000)));
    await change(...many);
    await change(...many);
    const [kv] = etcd.range(prefixRange(keys.audit), { descending: true, limit: 1 }).kvs;
    expect(kv!.value.length).toBeLessThan(300 * 1024);
  });

  it('takes as many changes as etcd does, but for one', async () => {
    const puts = Array.from({ length: MAX_TXN_OPERATIONS }, (_, index) => put(keys.job(`j${index}`), '{}'));
    await change(...puts.slice(1));
    expect((await changes()).length).toBe(MAX_TXN_OPERATIONS - 1);
    await expect(change(...puts)).rejects.toMatchObject({ code: 'ETCRON_ETCD_REFUSED', maybeApplied: false });
  });

  it('knows that nothing happened when the values before cannot be read', async () => {
    behind(keys.job('a'), 'one');
    intercept = ({ phase, method }) => {
      if (phase === 'reply' && method === 'txn') throw unreachable('gone', true);
    };
    const error = await change(put(keys.job('a'), 'two')).catch((thrown: unknown) => thrown as StoreError);
    expect(error).toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE', maybeApplied: false });
    expect(etcd.get(keys.job('a'))?.value.toString()).toBe('one');
  });

  it('names a range that was deleted, and refuses writes that no record would tell of', async () => {
    await change(delRange(prefixRange(keys.jobs)));
    expect(await changes()).toEqual([{ key: 'jobs/*', before: null, after: null }]);
    const odd = {
      compare: [exists('x')],
      success: [put(keys.job('a'), 'a')],
      failure: [put(keys.job('b'), 'b')],
    };
    await expect(txn(odd)).rejects.toThrow('cannot be audited');
  });
});

describe('listAudit', () => {
  beforeEach(async () => {
    for (let index = 0; index < 10; index += 1) {
      await change(put(keys.job(index % 2 === 0 ? 'even' : 'odd'), String(index)));
      await clock.advance(60_000);
    }
    behind(`${keys.audit}zzz`, 'not ours');
    behind(`${keys.audit}2026-11-22T03:00:00.000Z-0123456789ab-1`, 'not JSON');
  });

  it('gives the newest first, in pages that go on where the last one ended', async () => {
    const query = { limit: 4 };
    const first = await settled(listAudit({ store, keys }, query));
    expect(first.records.map(({ at }) => (at - T0) / 60_000)).toEqual([9, 8, 7, 6]);
    const second = await settled(listAudit({ store, keys }, { ...query, cursor: first.next! }));
    expect(second.records.map(({ at }) => (at - T0) / 60_000)).toEqual([5, 4, 3, 2]);
    const third = await settled(listAudit({ store, keys }, { ...query, cursor: second.next! }));
    expect(third).toMatchObject({ next: null, records: [{ at: T0 + 60_000 }, { at: T0 }] });
  });

  it('finds by time, by who did it, and by what was changed', async () => {
    const minutes = async (query: Partial<AuditQuery>) =>
      (await records(query)).map(({ at }) => (at - T0) / 60_000);
    expect(await minutes({ fromMs: T0 + 8 * 60_000 })).toEqual([9, 8]);
    expect(await minutes({ toMs: T0 + 60_000 })).toEqual([1, 0]);
    expect(await minutes({ fromMs: T0 + 3 * 60_000, toMs: T0 + 4 * 60_000 })).toEqual([4, 3]);
    expect(await minutes({ job: 'odd' })).toEqual([9, 7, 5, 3, 1]);
    expect(await minutes({ job: 'od' })).toEqual([]);
    expect(await minutes({ key: 'jobs/ev' })).toEqual([8, 6, 4, 2, 0]);
    expect(await minutes({ actor: 'anna' })).toHaveLength(10);
    expect(await minutes({ actor: 'ann' })).toEqual([]);
  });
});
