import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { Keys } from '../../src/etcd/keys.js';
import { Mirror } from '../../src/etcd/mirror.js';
import { encodeRecord } from '../../src/etcd/record.js';
import { backfillSuffix } from '../../src/history/made-later.js';
import { emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { DEFAULT_HOUSEKEEPING, Housekeeping } from '../../src/plan/housekeeping.js';
import type { Write } from '../../src/plan/leader-writer.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { ClusterView } from '../../src/view/cluster-view.js';
import { cursorRecordSchema } from '../../src/view/cursor-record.js';
import { encodeFiring, plannedFiring } from '../../src/view/firing-record.js';

const keys = new Keys();
const NOW_MS = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

async function setUp(pageSize = 3, rangeTakesMs = 0) {
  const clock = new FakeClock(NOW_MS);
  const etcd = new MemoryEtcd(clock);
  let isReady = false;
  const store = etcd.connect({
    intercept: async ({ method, phase }) => {
      if (isReady && rangeTakesMs > 0 && method === 'range' && phase === 'request')
        await sleep(clock, rangeTakesMs);
    },
  });
  const log = silentLogger();
  const mirrors = [keys.mirrored, keys.mirroredWorkers].map(
    (range) => new Mirror(store, range, { clock, log, name: 'test' }),
  );
  const view = new ClusterView(keys, mirrors[0]!, mirrors[1]!, () => undefined);
  const starting = Promise.all(mirrors.map((mirror) => mirror.start()));
  await clock.settle();
  await starting;
  isReady = true;
  const commit = ({ compare = [], operations = [] }: Write) => {
    const { succeeded, revision } = etcd.txn({ compare, success: operations });
    return Promise.resolve({ committed: succeeded, revision });
  };
  const options = { ...DEFAULT_HOUSEKEEPING, pageSize };
  const housekeeping = new Housekeeping({ store, keys, clock, log, view, options, writer: { commit } });
  const put = async (key: string, value: string): Promise<void> => {
    etcd.txn({ compare: [], success: [{ type: 'put', key, value }] });
    await clock.settle();
  };
  const putCursor = (atMs: number): Promise<void> => {
    const record = {
      plannedThrough: { due: atMs + 15_000, job: null },
      jobsRevision: 1,
      at: atMs,
      againThrough: null,
    };
    return put(keys.cursor, encodeRecord(cursorRecordSchema, record));
  };
  const bites = async (count: number): Promise<void> => {
    for (let bite = 0; bite < count; bite += 1) {
      const done = housekeeping.bite();
      if (rangeTakesMs === 0) await clock.settle();
      else await clock.advance(5_000);
      await done;
    }
  };
  /** Minutes before now of the records that are left. */
  const left = (job: string): number[] =>
    etcd.range(keys.runsOf(job)).kvs.map((kv) => (NOW_MS - Date.parse(kv.key.slice(-24))) / MINUTE);
  const putRuns = async (job: string, minutes: readonly number[]): Promise<void> => {
    for (const minute of minutes) {
      const key = keys.run({ job, dueMs: NOW_MS - minute * MINUTE, suffix: null });
      await put(key, encodeRun(emptyRecord('succeeded', null, NOW_MS)));
    }
  };
  return { etcd, put, putCursor, putRuns, left, bites };
}

describe('housekeeping', () => {
  const history = (limit: number): string =>
    JSON.stringify({ schedule: '* * * * *', command: 'x', history: { limit, maxAge: '1h' } });

  it('prunes by count and by age, but nothing younger than five minutes', async () => {
    const { put, putCursor, putRuns, left, bites } = await setUp();
    await putCursor(NOW_MS);
    await put(keys.job('few'), history(2));
    await put(keys.job('old'), history(100));
    await putRuns('few', [30, 20, 15, 4, 3, 1]);
    await putRuns('old', [120, 70, 50, 4]);
    await bites(6);
    expect(left('few')).toEqual([4, 3, 1]);
    expect(left('old')).toEqual([50, 4]);
  });

  it('keeps what a backfill made of old due times for as long as if they were new', async () => {
    const { etcd, put, putCursor, bites } = await setUp();
    await putCursor(NOW_MS);
    await put(keys.job('few'), history(100));
    const dueMs = NOW_MS - 900 * MINUTE;
    const made = [61, 30].map((minute) => backfillSuffix(NOW_MS - minute * MINUTE, '1a2b'));
    for (const suffix of [...made, 'manual-1'])
      await put(keys.run({ job: 'few', dueMs, suffix }), encodeRun(emptyRecord('succeeded', null, NOW_MS)));
    await bites(4);
    expect(etcd.range(keys.runsOf('few')).kvs.map(({ key }) => key.split('+')[1])).toEqual([made[1]]);
  });

  it('reads so many pages in a bite that a round takes a minute, however many records there are', async () => {
    const { put, putCursor, putRuns, left, bites } = await setUp();
    await putCursor(NOW_MS);
    const minutes = Array.from({ length: 72 }, (_, index) => 90 - index);
    await put(keys.job('many'), history(10));
    await putRuns('many', minutes);
    // 24 pages of three; a bite is due every five seconds, twelve times a minute.
    await bites(11);
    expect(left('many')).toEqual(minutes);
    await bites(1);
    expect(left('many')).toEqual(minutes.slice(-10));
  });

  it('spends no more than a third of its time on them', async () => {
    const { put, putCursor, putRuns, left, bites } = await setUp(1, 100);
    await putCursor(NOW_MS);
    await put(keys.job('many'), history(10));
    const minutes = Array.from({ length: 600 }, (_, index) => 50 - index / 20);
    await putRuns('many', minutes);
    // For a round in a minute a bite would need 50 pages, which are 5 s.
    await bites(38);
    expect(left('many')).toHaveLength(600);
    await bites(3);
    expect(left('many')).toHaveLength(10);
  });

  it('keeps what the cursor has not passed: planning still has to know that it ran', async () => {
    const { put, putCursor, putRuns, left, bites } = await setUp();
    await putCursor(NOW_MS - 25 * MINUTE);
    await put(keys.job('few'), history(1));
    await putRuns('few', [40, 30, 20, 15, 5]);
    await bites(4);
    expect(left('few')).toEqual([20, 15, 5]);
    await putCursor(NOW_MS);
    await bites(4);
    expect(left('few')).toEqual([5]);
  });

  it('ends what a deleted job left behind, but not what somebody holds', async () => {
    const { etcd, put, putCursor, bites } = await setUp();
    await putCursor(NOW_MS);
    const id = (minute: number) => ({ job: 'gone', dueMs: NOW_MS - minute * MINUTE, suffix: null });
    await put(
      keys.firing(id(3)),
      encodeFiring({ ...plannedFiring('f'), attempt: 1, notBefore: NOW_MS + MINUTE }),
    );
    await put(keys.firing(id(2)), encodeFiring({ ...plannedFiring('f'), attempt: 1, node: 'dead' }));
    await put(keys.firing(id(1)), encodeFiring({ ...plannedFiring('f'), attempt: 1, node: 'cut-off' }));
    await put(keys.lock(id(1)), 'held');
    await bites(1);
    expect([3, 2, 1].map((minute) => etcd.get(keys.run(id(minute))) !== null)).toEqual([true, true, false]);
    expect(etcd.get(keys.firing(id(1)))).not.toBeNull();
  });

  it('comes to all orphans, however many before them cannot be ended', async () => {
    const { etcd, put, putCursor, bites } = await setUp();
    await putCursor(NOW_MS);
    const id = (minute: number) => ({ job: 'gone', dueMs: NOW_MS - minute * MINUTE, suffix: null });
    const held = Array.from({ length: 90 }, (_, index) => 100 - index);
    for (const minute of [...held, 1]) {
      await put(keys.firing(id(minute)), encodeFiring({ ...plannedFiring('f'), attempt: 1, node: 'dead' }));
      if (minute !== 1) await put(keys.lock(id(minute)), 'put by hand, without a lease');
    }
    await bites(2);
    expect(etcd.get(keys.run(id(1)))).toBeNull();
    await bites(1);
    expect(etcd.get(keys.run(id(1)))).not.toBeNull();
    // And it begins anew, so that one whose lock went in the meantime is ended too.
    await put(keys.firing(id(1)), encodeFiring({ ...plannedFiring('f'), attempt: 1, node: 'dead' }));
    etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.lock(id(100)) }] });
    await bites(1);
    expect(etcd.get(keys.run(id(100)))).not.toBeNull();
  });
});
