import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixRange } from '../../src/etcd/store.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
});

describe('an orderly stop of a worker', () => {
  it('hands over, waits for what runs within the grace, ends the rest for others to take, and exits 0', async () => {
    cluster = new Cluster({
      endpoints: [etcd.endpoint],
      workerArgs: ['--drain-grace', '3s', '--kill-grace', '1s'],
    });
    try {
      const [first] = await cluster.start('w-1');
      await cluster.putJob('short', {
        schedule: '@every 1s',
        command: `${cluster.note('start')}; sleep 0.2`,
        overlap: 'allow',
      });
      const long = `${cluster.note('start')}; sleep 15; ${cluster.note('end')}`;
      await cluster.putJob('long', { schedule: '@every 60s', command: long });
      await cluster.store.txn({
        compare: [],
        success: [
          {
            type: 'put',
            key: cluster.keys.firing({ job: 'long', dueMs: Date.now(), suffix: 'manual-1' }),
            value: JSON.stringify({ origin: 'manual', fingerprint: '', attempt: 0 }),
          },
        ],
      });
      await waitUntil(() => cluster.evidence().some(({ runId }) => runId.startsWith('long/')), {
        what: 'the long run',
      });
      await cluster.start('w-2');
      first!.child.kill('SIGTERM');
      expect(await first!.exited).toEqual({ code: 0, signal: null });
      expect((await cluster.leader()).name).toBe('w-2');
      const record = await cluster.recordOf('long', ({ manual }) => manual);
      expect(record).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 0, worker: 'w-2' });
      const second = cluster.workers[1]!;
      second.child.kill('SIGTERM');
      expect(await second.exited).toEqual({ code: 0, signal: null });
      // Every lease was revoked: nothing that belongs to a session is left.
      for (const range of [cluster.keys.workers, cluster.keys.locks, cluster.keys.slots]) {
        expect(await cluster.list(prefixRange(range))).toEqual([]);
      }
      expect(cluster.violations()).toEqual([]);
    } finally {
      await cluster.stop();
    }
  });

  it('ends at once at the second signal, and leaves no process behind', async () => {
    cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--drain-grace', '5m'] });
    try {
      const [worker] = await cluster.start('w-1');
      const command = `${cluster.note('start')}; echo $$ > ${cluster.folder}/pid; trap '' TERM; while :; do sleep 1; done`;
      await cluster.putJob('stubborn', { schedule: '* * * * * *', command, overlap: 'skip' });
      await waitUntil(() => cluster.evidence().length > 0, { what: 'the run' });
      worker!.child.kill('SIGTERM');
      await waitUntil(() => worker!.log().includes('draining'), { what: 'the drain' });
      // Signals that come together count as one, so it takes one that comes later.
      const again = setInterval(() => worker!.child.kill('SIGTERM'), 200);
      const ended = await worker!.exited;
      clearInterval(again);
      expect(ended).toEqual({ code: 143, signal: null });
      const { readFileSync } = await import('node:fs');
      const pid = Number(readFileSync(`${cluster.folder}/pid`, 'utf8'));
      await waitUntil(() => !isAlive(pid), { what: 'the command to be gone' });
    } finally {
      await cluster.stop();
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
