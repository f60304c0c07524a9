import { beforeEach, describe, expect, it } from 'vitest';
import { Keys } from '../../src/etcd/keys.js';
import { emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { readCoverage } from '../../src/plan/coverage.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const keys = new Keys();
let etcd: MemoryEtcd;

beforeEach(() => {
  etcd = new MemoryEtcd(new FakeClock());
});

function putRecord(job: string, second: number, missedFrom?: number, suffix: string | null = null): void {
  const dueMs = second * 1_000;
  const missed =
    missedFrom === undefined ? null : { from: missedFrom * 1_000, through: dueMs, count: 1, atLeast: false };
  const value = encodeRun({ ...emptyRecord(missed ? 'missed' : 'succeeded', null, 0), missed });
  etcd.txn({ compare: [], success: [{ type: 'put', key: keys.run({ job, dueMs, suffix }), value }] });
}

async function covered(from: number, through: number): Promise<number[]> {
  const is = await readCoverage(etcd.connect(), keys, 'job', from * 1_000, through * 1_000);
  return Array.from({ length: through - from + 1 }, (_, index) => from + index).filter((s) => is(s * 1_000));
}

describe('readCoverage', () => {
  it('knows due times with a record of their own, and only of this job', async () => {
    putRecord('job', 3);
    putRecord('job.b', 4);
    putRecord('job', 5, undefined, 'manual-1');
    expect(await covered(1, 9)).toEqual([3]);
  });

  it('knows those in the range of a missed record that ends within or behind', async () => {
    putRecord('job', 4, 2);
    putRecord('job', 90, 8);
    expect(await covered(1, 9)).toEqual([2, 3, 4, 8, 9]);
  });

  it('reads beyond one page', async () => {
    for (let second = 1; second <= 500; second += 1) putRecord('job', second);
    putRecord('job', 900, 600);
    expect((await covered(1, 700)).length).toBe(500 + 101);
  });

  it('takes a damaged record for one of its own due time', async () => {
    const key = keys.run({ job: 'job', dueMs: 2_000, suffix: null });
    etcd.txn({ compare: [], success: [{ type: 'put', key, value: 'damaged' }] });
    expect(await covered(1, 3)).toEqual([2]);
  });
});
