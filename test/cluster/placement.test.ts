/** Where jobs run, on real workers: targets, weights, everywhere, and another worker for the next attempt. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runEtcron } from '../support/cli-process.js';
import { Cluster, type Evidence } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';
import { FIND_WORKER } from '../support/worker-pid.js';

const EVERY_SECOND = '* * * * * *';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

const ARGS = {
  'w-1': ['--label', 'disk=ssd', '--capacity', '4'],
  'w-2': ['--label', 'disk=hdd', '--capacity', '4'],
  'w-3': ['--label', 'disk=ssd', '--label', 'spot=yes', '--capacity', '4'],
};

async function withCluster(body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster({
    endpoints: [etcd.endpoint],
    workerArgs: ['--lease-ttl', '5s'],
    argsOf: ARGS,
  });
  try {
    await cluster.start('w-1', 'w-2', 'w-3');
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

/** Runs of the job that began, by the worker that had them according to their records. */
async function workersOf(cluster: Cluster, job: string): Promise<Set<string | null>> {
  const records = await cluster.records(job);
  return new Set([...records.values()].map(({ worker }) => worker));
}

function ofJob(cluster: Cluster, job: string): Evidence[] {
  return cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`));
}

describe.concurrent('where a job runs', () => {
  it('follows its target, and its weight bounds how many of it a worker has', async () => {
    await withCluster(async (cluster) => {
      const target = { with: { disk: 'ssd' }, without: { spot: '*' } };
      await cluster.putJob('picky', { schedule: EVERY_SECOND, command: cluster.note('run'), target });
      const command = `${cluster.note('start')}; sleep 1.5; ${cluster.note('end')}`;
      for (const name of ['h1', 'h2', 'h3', 'h4'])
        await cluster.putJob(name, { schedule: '*/5 * * * * *', command, weight: 3 });
      await waitUntil(() => ofJob(cluster, 'picky').length >= 8, { what: 'the job to run' });
      expect(await workersOf(cluster, 'picky')).toEqual(new Set(['w-1']));

      const isHeavy = ({ runId }: Evidence): boolean => runId.startsWith('h');
      const ends = (): Evidence[] => cluster.evidence().filter((one) => isHeavy(one) && one.what === 'end');
      await waitUntil(() => ends().length >= 8, { what: 'the heavy jobs to run', timeoutMs: 60_000 });
      let running = 0;
      for (const { what } of cluster.evidence().filter(isHeavy)) {
        running += what === 'start' ? 1 : -1;
        expect(running).toBeLessThanOrEqual(3);
      }
    });
  });

  it('is every worker that fits, with one record for all of them', async () => {
    await withCluster(async (cluster) => {
      const note = cluster.note('"$ETCRON_INDEX/$ETCRON_COUNT"');
      const target = { without: { spot: '*' } };
      await cluster.putJob('all', { schedule: '*/3 * * * * *', command: note, everywhere: true, target });
      const whole = async (): Promise<string | undefined> =>
        [...(await cluster.records('all'))].find(
          ([runId, { outcome }]) => !runId.includes('+') && outcome === 'succeeded',
        )?.[0];
      const runId = await waitUntil(whole, { what: 'a record for all', timeoutMs: 60_000 });
      const runs = ofJob(cluster, 'all').filter((one) => one.runId.startsWith(`${runId}+`));
      expect(runs.map((one) => [one.runId, one.what]).sort()).toEqual([
        [`${runId}+on-w-1`, '0/2'],
        [`${runId}+on-w-2`, '1/2'],
      ]);
      expect((await cluster.records('all')).get(runId)).toMatchObject({
        reason: 'on 2 workers: 2 succeeded',
      });

      const fromMs = Date.now();
      const [first] = cluster.workers;
      process.kill(first!.child.pid!, 'SIGKILL');
      const alone = async (): Promise<boolean> =>
        [...(await cluster.records('all')).values()].some(
          ({ reason, recordedAt }) => recordedAt > fromMs && reason === 'on 1 worker: 1 succeeded',
        );
      await waitUntil(alone, { what: 'the other one to go on', timeoutMs: 60_000 });
      expect(cluster.violations()).toEqual([]);
    });
  });

  it('is another worker after a failure; nowhere is said in status and log', async () => {
    await withCluster(async (cluster) => {
      const retries = { attempts: 3, delay: '100ms', backoff: 'fixed', avoidLastWorker: true };
      const command = `${FIND_WORKER}; ${cluster.note('$worker')}; exit 1`;
      await cluster.putJob('flaky', { schedule: EVERY_SECOND, command, retries });
      await cluster.putJob('gpu', { schedule: '@daily', command: 'true', target: { with: { gpu: '*' } } });
      const attempts = (): Evidence[][] => {
        const all = ofJob(cluster, 'flaky');
        const runIds = new Set(all.map(({ runId }) => runId));
        return [...runIds]
          .map((runId) => all.filter((one) => one.runId === runId))
          .filter((one) => one.length === 3);
      };
      await waitUntil(() => attempts().length >= 3, {
        what: 'three runs with three attempts',
        timeoutMs: 60_000,
      });
      for (const [first, second, third] of attempts()) {
        expect(second!.what).not.toBe(first!.what);
        expect(third!.what).not.toBe(second!.what);
      }
      const { stdout } = await runEtcron(cluster, [etcd.endpoint], 'status');
      expect(stdout).toMatch(/gpu +3 workers each have no label gpu/);
      const logged = (): boolean =>
        cluster.workers.some((worker) => worker.log().includes('no worker can run this job'));
      await waitUntil(logged, { what: 'the leader to say so' });
    });
  });
});
