/** What a worker's policy forbids goes to others, and stays undone there whatever stands in etcd. */
import { afterEach, expect, it } from 'vitest';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { decodeRecord, encodeRecord } from '../../src/etcd/record.js';
import { put } from '../../src/etcd/txn.js';
import { policySchema } from '../../src/jobs/policy/policy.js';
import { whyNobody } from '../../src/view/eligibility.js';
import { resolveJob } from '../../src/jobs/index.js';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

const closed = policySchema.parse({ commands: { programs: ['/opt/jobs/*'] } });

let cluster: MemoryCluster;

afterEach(async () => {
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

async function start(nodes: NonNullable<MemoryClusterOptions['nodes']>): Promise<void> {
  cluster = new MemoryCluster({ nodes });
  await cluster.addNodes(...Object.keys(nodes));
}

const nodesThatRan = (job: string): Set<string> =>
  new Set(cluster.processes.filter(({ runId }) => runId.startsWith(`${job}/`)).map(({ node }) => node));

const workers = () =>
  cluster.etcd.range({ start: cluster.keys.workers, end: `${cluster.keys.workers}~` }).kvs.flatMap((kv) => {
    const decoded = decodeRecord(workerRecordSchema, kv);
    return decoded.ok ? [{ kv, record: decoded.value }] : [];
  });

it('a job runs where the policy lets it, and nobody waits for the others', async () => {
  await start({ closed: { policy: closed }, open: {} });
  await cluster.putJob('shell', { schedule: '* * * * * *', command: 'run 10' });
  await cluster.putJob('allowed', { schedule: '* * * * * *', command: ['/opt/jobs/x'] });
  await cluster.clock.advance(20_000);
  expect(nodesThatRan('shell')).toEqual(new Set(['open']));
  expect(nodesThatRan('allowed')).toEqual(new Set(['closed', 'open']));
  const late = cluster.processes.filter(({ startedAtMs, dueMs }) => startedAtMs - dueMs > 50);
  expect(late).toEqual([]);
});

it('everybody can say why nobody runs it', async () => {
  await start({ closed: { policy: closed } });
  const job = resolveJob('shell', { schedule: '@daily', command: 'x' });
  expect(
    whyNobody(
      job,
      null,
      workers().map(({ record }) => record),
    ),
  ).toBe('a worker has a policy that forbids commands through a shell');
});

it('a forged record of the worker makes it run nothing that it may not', async () => {
  await start({ closed: { policy: closed, labels: { zone: 'dmz' } } });
  await cluster.putJob('shell', { schedule: '* * * * * *', command: 'run 10' });
  await cluster.putJob('core', {
    ...{ schedule: '* * * * * *', command: ['/opt/jobs/x'] },
    target: { with: { zone: 'core' } },
  });
  await cluster.putJob('dmz', { schedule: '* * * * * *', command: ['/opt/jobs/x'] });
  for (let second = 0; second < 20; second += 1) {
    for (const { kv, record } of workers()) {
      const { policy, ...forged } = record;
      expect(policy === undefined || policy.commands !== undefined).toBe(true);
      const text = encodeRecord(workerRecordSchema, { ...forged, labels: { zone: 'core' } });
      cluster.etcd.txn({ compare: [], success: [put(kv.key, text, kv.leaseId!)] });
    }
    await cluster.clock.advance(1_000);
  }
  expect(nodesThatRan('dmz')).toEqual(new Set(['closed']));
  expect(nodesThatRan('shell')).toEqual(new Set());
  expect(nodesThatRan('core')).toEqual(new Set());
});

it('a policy that changes holds for all that begins from then on, and others take what it forbids', async () => {
  await start({ changing: {}, open: {} });
  const changing = cluster.nodes.find(({ name }) => name === 'changing')!.node;
  await cluster.putJob('shell', { schedule: '* * * * * *', command: 'run 10' });
  const fromMs = cluster.clock.now() + 2_000;
  await cluster.clock.advance(20_300);
  expect(nodesThatRan('shell')).toEqual(new Set(['changing', 'open']));
  const changedMs = cluster.clock.now();
  // With claims in hand that have not begun.
  changing.changePolicy({ labels: {}, policy: closed });
  await cluster.clock.advance(20_000);
  const since = cluster.processes.filter(({ startedAtMs }) => startedAtMs > changedMs);
  expect(new Set(since.map(({ node }) => node))).toEqual(new Set(['open']));
  expect(workers().map(({ record }) => record.policy !== undefined)).toContain(true);
  expect(cluster.accounting('shell', '* * * * * *', fromMs, cluster.clock.now() - 2_000)).toEqual([]);
  changing.changePolicy({ labels: {}, policy: undefined });
  await cluster.clock.advance(20_000);
  const last = cluster.processes.filter(({ startedAtMs }) => startedAtMs > changedMs + 20_000);
  expect(new Set(last.map(({ node }) => node))).toEqual(new Set(['changing', 'open']));
});
