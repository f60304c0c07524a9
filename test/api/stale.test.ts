/** While etcd is out of reach: every answer that comes from memory says since when it may be old. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiUnderTest } from './support.js';

let api: ApiUnderTest;

beforeEach(async () => {
  api = await ApiUnderTest.start();
  await api.cluster.putJob('fast', { schedule: '*/10 * * * * *' });
  await api.cluster.addNodes('w1', 'w2');
  await api.clock.advance(30_000);
});

afterEach(() => api.stop());

const READS = ['cluster', 'cluster/stats', 'cluster/timeline', 'jobs', 'runs', 'workers', 'limits'];

interface Told {
  readonly path: string;
  readonly status: number;
  readonly since: unknown;
  readonly body: Record<string, unknown>;
}

/** Lets the deadlines of what waits for etcd pass. */
async function ask(path: string): Promise<Told> {
  const asked = api.app.inject({ url: `/api/v1/${path}`, headers: { host: 'localhost:8470' } });
  let over = false;
  void Promise.resolve(asked).finally(() => (over = true));
  while (!over) {
    await api.clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { statusCode: status, headers, body } = await asked;
  return {
    ...{ path, status, since: headers['etcron-stale-since'] },
    body: JSON.parse(body) as Record<string, unknown>,
  };
}

async function askAll(): Promise<Told[]> {
  const told: Told[] = [];
  for (const path of READS) told.push(await ask(path));
  return told;
}

test('what is current says nothing of the kind', async () => {
  for (const { path, status, since } of await askAll())
    expect([path, status, since]).toEqual([path, 200, undefined]);
});

test('answers of a node that is cut off from etcd carry the time since when they may be old', async () => {
  await askAll();
  const cutMs = api.clock.now();
  api.store.partition(true);
  await api.clock.advance(60_000);
  const answered: string[] = [];
  for (const { path, status, since, body } of await askAll()) {
    // What has to be read anew is not told at all.
    if (status === 503) continue;
    expect([path, status]).toEqual([path, 200]);
    answered.push(path);
    const sinceMs = Date.parse(since as string);
    expect(sinceMs, path).toBeLessThanOrEqual(cutMs);
    expect(sinceMs, path).toBeGreaterThanOrEqual(cutMs - 10_000);
    if (path === 'cluster') expect(body).toMatchObject({ staleSince: since, healthy: false });
  }
  expect(answered).toEqual(
    expect.arrayContaining(['cluster', 'cluster/timeline', 'jobs', 'runs', 'workers']),
  );

  api.store.partition(false);
  await api.clock.advance(60_000);
  for (const { path, status, since, body } of await askAll()) {
    expect([path, status, since]).toEqual([path, 200, undefined]);
    if (path === 'cluster') expect(body).toMatchObject({ staleSince: null });
  }
});

test('a node that has never known anything says so, instead of answering nothing as if it were all', async () => {
  api.store.partition(true);
  const { status, since } = await ask('jobs');
  expect([status, since]).toEqual([503, undefined]);
});
