/** A job whose command kills the worker that runs it, each time: it must not take down a fleet one by one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/history/run-record.js';
import { runEtcron } from '../support/cli-process.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';
import { FIND_WORKER } from '../support/worker-pid.js';
import { isAlive } from '../support/worker-process.js';

const EVERY_SECOND = '* * * * * *';
const MAX_CRASHES = 3;

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

/** A schedule that is due once, in some seconds. */
function soon(): string {
  const dueAt = new Date(Date.now() + 4_000);
  return `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
}

const killWorker = `${FIND_WORKER}
kill -9 $worker`;

/** Both in one call, so that neither can act on the death of the other. */
const killWorkerAndWatchdog = `${FIND_WORKER}
for child in $(cat /proc/$worker/task/$worker/children); do
  [ $child = $$ ] && continue
  case "$(tr '\\0' ' ' < /proc/$child/cmdline)" in */run/watchdog/*) watchdog=$child ;; esac
done
kill -9 $watchdog $worker`;

describe.concurrent('a job that kills its worker each time', () => {
  it.each([
    ['the worker', killWorker],
    ['the worker and its watchdog', killWorkerAndWatchdog],
  ])('is given up when it took %s with it three times, and harms nothing else', async (_, kill) => {
    const cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', '5s'] });
    try {
      await cluster.start('w-1', 'w-2');
      const command = cluster.note('start');
      await cluster.putJob('healthy', { schedule: EVERY_SECOND, command, overlap: 'allow' });
      await waitUntil(() => cluster.evidence().length >= 2, { what: 'the healthy job to run' });
      const fromMs = Date.now();
      await cluster.putJob('poison', { schedule: soon(), command: `${command}\n${kill}` });

      const dead = (): number => cluster.workers.filter((worker) => !isAlive(worker)).length;
      for (let deaths = 1; deaths <= MAX_CRASHES; deaths += 1) {
        await waitUntil(() => dead() === deaths, {
          what: `death ${deaths}`,
          timeoutMs: 60_000,
        });
        await cluster.start(`w-${deaths + 2}`);
      }
      const end = async (): Promise<RunRecord | string | undefined> =>
        dead() > MAX_CRASHES
          ? 'not given up: it took one more worker with it'
          : [...(await cluster.records('poison')).values()][0];
      const what = 'the poisonous job to be given up';
      expect(await waitUntil(end, { what, timeoutMs: 120_000 })).toMatchObject({
        outcome: 'lost',
        attempts: MAX_CRASHES,
        crashes: MAX_CRASHES,
        reason: 'given up: 3 attempts were lost with their workers',
      });
      const [runId] = (await cluster.records('poison')).keys() as IterableIterator<string>;
      expect(await cluster.firings('poison')).toEqual(new Map());

      // Whoever stepped in lives on, and goes on with the work.
      const throughMs = Date.now() + 5_000;
      await cluster.ended('healthy', throughMs);
      const alive = cluster.workers.filter((worker) => isAlive(worker));
      expect(alive).toHaveLength(cluster.workers.length - MAX_CRASHES);
      expect(alive.map(({ name }) => name)).toContain('w-5');
      expect(await cluster.accounting('healthy', EVERY_SECOND, fromMs, throughMs)).toEqual([]);
      expect(cluster.violations()).toEqual([]);
      const poisoned = cluster.evidence().filter((one) => one.runId === runId);
      expect(poisoned.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);

      const list = await runEtcron(cluster, [etcd.endpoint], 'runs', 'list', '--job', 'poison');
      expect(list).toMatchObject({ exitCode: 0 });
      expect(list.stdout).toMatch(
        /poison\/\S+ +lost .* 3 .*given up: 3 attempts were lost with their workers/,
      );
      const get = await runEtcron(cluster, [etcd.endpoint], 'runs', 'get', runId!);
      expect(get).toMatchObject({ exitCode: 0 });
      expect(get.stdout).toMatch(/outcome +lost\nwhy +given up: 3 attempts were lost with their workers/);
      expect(get.stdout).toMatch(/attempts +3 \(3 lost with a worker\)/);
    } catch (error) {
      console.error(cluster.complaints());
      throw error;
    } finally {
      await cluster.stop();
    }
  });
});
