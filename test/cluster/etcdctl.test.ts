import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixRange } from '../../src/etcd/store.js';
import { Cluster } from '../support/cluster.js';
import { etcdctl, startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint] });
  await cluster.start('w-1', 'w-2');
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

async function ctl(...args: string[]): Promise<string> {
  return etcdctl(args, { endpoints: [etcd.endpoint] });
}

const runsOf = (job: string): number =>
  cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`)).length;

describe('jobs changed with plain etcdctl', () => {
  it('take effect on the next due time, in JSON and in YAML, and broken ones stop nothing', async () => {
    const json = JSON.stringify({ schedule: '* * * * * *', command: cluster.note('json'), overlap: 'allow' });
    await ctl('put', cluster.keys.job('json'), json);
    await ctl('put', cluster.keys.job('broken'), '{"schedule": "whenever", "comand": "true"}');
    await ctl('put', cluster.keys.job('garbage'), '\u0001\u0002 {{{');
    const yaml = `schedule: "* * * * * *"\noverlap: allow\ncommand: |\n  ${cluster.note('yaml')}\n`;
    await ctl('put', cluster.keys.job('yaml'), yaml);
    await waitUntil(() => runsOf('json') >= 3 && runsOf('yaml') >= 3, { what: 'runs of both jobs' });
    expect((await cluster.records('broken')).size + (await cluster.records('garbage')).size).toBe(0);
    const log = (await cluster.leader()).log();
    expect(log).toMatch(/"job":"broken".*this job is broken/);

    await ctl(
      'put',
      cluster.keys.job('broken'),
      JSON.stringify({ schedule: '* * * * * *', command: cluster.note('mended') }),
    );
    await waitUntil(() => runsOf('broken') >= 1, { what: 'the mended job to run' });
  });

  it('void what was planned when they are paused, edited or deleted', async () => {
    const define = (more: object): string =>
      JSON.stringify({ schedule: '* * * * * *', command: cluster.note('run'), overlap: 'allow', ...more });
    for (const job of ['paused', 'edited', 'deleted']) await ctl('put', cluster.keys.job(job), define({}));
    await waitUntil(() => ['paused', 'edited', 'deleted'].every((job) => runsOf(job) >= 2), {
      what: 'runs of all three',
    });

    await ctl('put', cluster.keys.job('paused'), define({ paused: true }));
    await ctl('put', cluster.keys.job('edited'), define({ schedule: '0 0 1 1 *' }));
    await ctl('del', cluster.keys.job('deleted'));
    for (const job of ['paused', 'deleted']) {
      await waitUntil(async () => (await cluster.firings(job)).size === 0, {
        what: `the firings of ${job} to go`,
      });
    }
    await waitUntil(async () => (await cluster.firings('edited')).size === 0, {
      what: 'the old firings to go',
    });
    const before = ['paused', 'edited', 'deleted'].map(runsOf);
    // The others go on; three more seconds of them are three due times that these jobs would have had.
    const { length } = cluster.evidence();
    await ctl('put', cluster.keys.job('witness'), define({}));
    await waitUntil(() => runsOf('witness') >= 3 && cluster.evidence().length > length, {
      what: 'other runs',
    });
    expect(['paused', 'edited', 'deleted'].map(runsOf)).toEqual(before);

    await ctl('put', cluster.keys.job('paused'), define({}));
    await waitUntil(() => runsOf('paused') > before[0]!, { what: 'the resumed job to run' });
    expect(cluster.violations()).toEqual([]);
  });

  it('outlive a leader key that somebody overwrote', async () => {
    await ctl('put', cluster.keys.leader, 'me');
    await waitUntil(
      async () => {
        const [kv] = await cluster.list({ start: cluster.keys.leader, end: `${cluster.keys.leader}\0` });
        return kv !== undefined && kv.leaseId !== null;
      },
      { what: 'a leader with a lease' },
    );
    const { length } = cluster.evidence();
    await waitUntil(() => cluster.evidence().length > length + 5, { what: 'runs after it' });
    expect((await cluster.list(prefixRange(cluster.keys.workers))).length).toBe(2);
  });
});
