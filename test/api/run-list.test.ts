/** Records that lie in etcd alone: however rare what is asked for is, one page costs etcd only so much. */
import { expect, test } from 'vitest';
import type { ApiContext } from '../../src/api/context.js';
import { listRunsPage } from '../../src/api/present/run-list.js';
import type { ClusterReader } from '../../src/api/reader/cluster-reader.js';
import { listRunsQuery } from '../../src/api/schemas/runs.js';
import { Keys } from '../../src/etcd/keys.js';
import { put } from '../../src/etcd/txn.js';
import { emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { whileTimePasses } from './support.js';

const RECORDS = 6_000;
const MINUTE_MS = 60_000;
const T0 = Date.UTC(2026, 0, 1);

test('a page of what is rare ends after so many records, and there is a next one', async () => {
  const clock = new FakeClock(T0);
  const etcd = new MemoryEtcd(clock);
  const keys = new Keys();
  for (let index = 0; index < RECORDS; index += 1) {
    const worker = index === 0 ? 'w-old' : 'w1';
    const value = encodeRun({ ...emptyRecord('succeeded', null, 0), worker, nodeId: `${worker}-abc` });
    const id = { job: 'a', dueMs: T0 + index * MINUTE_MS, suffix: null };
    etcd.txn({ compare: [], success: [put(keys.run(id), value)] });
  }
  let requests = 0;
  const store = etcd.connect({
    intercept: ({ phase }) => {
      if (phase === 'reply') requests += 1;
    },
  });
  const context = { store, keys, clock, log: silentLogger() } as unknown as ApiContext;
  // Holds none of them.
  const feed = { shelf: { ofJob: () => [] }, knowsSince: () => false };
  const reader = { feed: { use: () => Promise.resolve(feed) } } as unknown as ClusterReader;
  const ask = (query: Record<string, string>) =>
    whileTimePasses(clock, listRunsPage(context, reader, listRunsQuery.parse({ job: 'a', ...query })));

  const rare = { worker: 'w-old', limit: '1' };
  const first = await ask(rare);
  expect(first.runs).toEqual([]);
  expect(first.next).not.toBeNull();
  expect(requests).toBeLessThan(200);
  const second = await ask({ ...rare, cursor: first.next! });
  expect(second.runs.map(({ due }) => due)).toEqual([new Date(T0).toISOString()]);

  requests = 0;
  const old = await ask({ limit: '2', to: new Date(T0 + 3 * MINUTE_MS).toISOString() });
  expect(old.runs.map(({ due }) => Date.parse(due) - T0)).toEqual([2 * MINUTE_MS, MINUTE_MS]);
  expect(requests).toBeLessThan(5);
});
