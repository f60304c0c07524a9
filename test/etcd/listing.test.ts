import { describe, expect, it } from 'vitest';
import { listRange, readPage } from '../../src/etcd/listing.js';
import { StoreError } from '../../src/etcd/store-error.js';
import { prefixRange, type RangeOptions, type Store, type Txn } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { Keys } from '../../src/etcd/keys.js';
import { listRuns } from '../../src/history/history.js';
import { emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { readCoverage } from '../../src/plan/coverage.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const keys = new Keys();
const COUNT = 150;

function tooLarge(): StoreError {
  const details = { tooLarge: true };
  return new StoreError('ETCRON_ETCD_REFUSED', 'too large', {
    maybeApplied: false,
    transient: false,
    details,
  });
}

/** An etcd whose answers may hold no more than so many values, and the limits that were asked for. */
function setUp(maxValues: number): { store: Store; etcd: MemoryEtcd; asked: number[] } {
  const etcd = new MemoryEtcd(new FakeClock());
  const inner = etcd.connect();
  const asked: number[] = [];
  const store: Store = Object.create(inner) as Store;
  store.range = async (range, options: RangeOptions = {}) => {
    const result = etcd.range(range, options);
    asked.push(options.limit ?? Infinity);
    if (!options.keysOnly && result.kvs.length > maxValues) throw tooLarge();
    return result;
  };
  store.txn = async (txn: Txn) => {
    if (txn.success.length > maxValues) throw tooLarge();
    return etcd.txn(txn);
  };
  return { store, etcd, asked };
}

function runId(index: number): { job: string; dueMs: number; suffix: null } {
  return { job: 'job', dueMs: index * 1_000, suffix: null };
}

function putRuns(etcd: MemoryEtcd): void {
  for (let index = 0; index < COUNT; index += 1) {
    const value = encodeRun(emptyRecord('succeeded', null, 0));
    etcd.txn({ compare: [], success: [put(keys.run(runId(index)), value)] });
  }
}

describe('values that are too large to be read many at a time', () => {
  it.each([1, 2, 7, 60, 1_000])('are listed %d at a time, all of them', async (maxValues) => {
    const { store, etcd, asked } = setUp(maxValues);
    putRuns(etcd);
    const { kvs } = await listRange(store, prefixRange(keys.runs), { pageSize: 1_000 });
    expect(kvs.size).toBe(COUNT);
    // The size that worked is kept: what is too large is not asked for again with each page.
    const refused = asked.filter((limit) => limit > maxValues).length;
    expect(refused).toBeLessThanOrEqual(5);
  });

  it('cannot be read when one alone is too large', async () => {
    const { store, etcd } = setUp(0);
    putRuns(etcd);
    await expect(readPage(store, prefixRange(keys.runs), { limit: 10 })).rejects.toThrow('too large');
  });

  it('keep neither the history nor the coverage of a job from being read', async () => {
    const { store, etcd } = setUp(3);
    putRuns(etcd);
    const { entries } = await listRuns(store, keys, { limit: 60 });
    expect(entries.map(({ runId: id }) => id)).toHaveLength(60);
    expect(new Set(entries.map(({ runId: id }) => id)).size).toBe(60);
    const covered = await readCoverage(store, keys, 'job', 0, COUNT * 1_000);
    expect([covered(0), covered((COUNT - 1) * 1_000), covered(COUNT * 1_000)]).toEqual([true, true, false]);
  });
});
