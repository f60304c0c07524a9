/** How runs share room, on real workers: by what the commands themselves noted, and by a lock that they take. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Evidence } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

async function withCluster(body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', '5s'] });
  try {
    await cluster.start('w-1', 'w-2');
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

function noted(cluster: Cluster, what: string): Evidence[] {
  return cluster.evidence().filter((one) => one.what === what);
}

describe.concurrent('runs share room', () => {
  it('under a limit of two jobs: never two commands at once', async () => {
    await withCluster(async (cluster) => {
      await cluster.store.txn({
        compare: [],
        success: [{ type: 'put', key: cluster.keys.limit('db'), value: '{"size":1}' }],
      });
      const lock = join(cluster.folder, 'db');
      const inside = `${cluster.note('start')}; sleep 0.4; ${cluster.note('end')}`;
      const command = `flock -n 9 || { ${cluster.note('beside')}; exit 1; }; ${inside}`;
      for (const name of ['a', 'b'])
        await cluster.putJob(name, {
          ...{ schedule: '* * * * * *', overlap: 'queue', limits: ['db'] },
          command: `( ${command} ) 9> ${lock}`,
        });
      const ends = (job: string): number =>
        noted(cluster, 'end').filter(({ runId }) => runId.startsWith(`${job}/`)).length;
      await waitUntil(() => ends('a') >= 4 && ends('b') >= 4, { what: 'both to run', timeoutMs: 60_000 });
      expect(noted(cluster, 'beside')).toEqual([]);
    });
  });

  it('in a queue: one after another, in the order of their due times, and none is lost', async () => {
    await withCluster(async (cluster) => {
      const command = `${cluster.note('start')}; sleep 1.6; ${cluster.note('end')}`;
      await cluster.putJob('queued', { schedule: '* * * * * *', command, overlap: 'queue', maxRuns: 5 });
      await waitUntil(() => noted(cluster, 'end').length >= 5, { what: 'the queue', timeoutMs: 60_000 });
      const notes = cluster.evidence();
      expect(notes.map(({ what }) => what)).toEqual(Array.from({ length: 5 }, () => ['start', 'end']).flat());
      const dues = noted(cluster, 'start').map(({ dueMs }) => dueMs);
      expect(dues).toEqual(dues.map((_, index) => dues[0]! + index * 1_000));
    });
  });

  it('by replacing: the old command is ended before the new one starts', async () => {
    await withCluster(async (cluster) => {
      const trap = `trap '${cluster.note('ended').replaceAll("'", '')}; exit 1' TERM`;
      const command = `${trap}; ${cluster.note('start')}; sleep 60 & wait`;
      await cluster.putJob('replaced', { schedule: '*/3 * * * * *', command, overlap: 'replace' });
      await waitUntil(() => noted(cluster, 'start').length >= 3, { what: 'three starts', timeoutMs: 60_000 });
      const notes = cluster.evidence().slice(0, 5);
      expect(notes.map(({ what }) => what)).toEqual(['start', 'ended', 'start', 'ended', 'start']);
      const [first, , second] = notes;
      const record = await waitUntil(async () => (await cluster.records('replaced')).get(first!.runId), {
        what: 'the record of the replaced run',
      });
      expect(record).toMatchObject({ outcome: 'killed', reason: `replaced by ${second!.runId}` });
    });
  });
});
