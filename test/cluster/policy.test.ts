/** A worker's policy on a real cluster: whoever may write anything into etcd gets nothing past it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { decodeRecord, encodeRecord } from '../../src/etcd/record.js';
import { prefixRange } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { encodeFiring, plannedFiring } from '../../src/view/firing-record.js';
import { runEtcron } from '../support/cli-process.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const EVERY_SECOND = '* * * * * *';

let etcd: RunningEtcd;
let cluster: Cluster;
let policy = '';

beforeAll(async () => {
  etcd = await startEtcd();
  const argsOf: Record<string, string[]> = { 'w-closed': ['--label', 'zone=dmz'] };
  cluster = new Cluster({ endpoints: [etcd.endpoint], argsOf });
  mkdirSync(cluster.folder, { recursive: true });
  policy = join(cluster.folder, 'policy.yaml');
  writeFileSync(policy, 'commands:\n  programs: [/bin/true]\nlabels: { place: cellar }\n');
  argsOf['w-closed']!.push('--policy', policy);
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

const runsOf = (job: string): number =>
  cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`)).length;

/** The record of the closed worker as somebody else would have it. */
async function forge(): Promise<void> {
  for (const kv of await cluster.list(prefixRange(cluster.keys.workers))) {
    const decoded = decodeRecord(workerRecordSchema, kv);
    if (!decoded.ok || decoded.value.name !== 'w-closed' || kv.leaseId === null) continue;
    const forged: Record<string, unknown> & typeof decoded.value = { ...decoded.value };
    delete forged.policy;
    const text = encodeRecord(workerRecordSchema, { ...forged, labels: { zone: 'core', place: 'cellar' } });
    await cluster.store.txn({ compare: [], success: [put(kv.key, text, kv.leaseId)] });
  }
}

it('runs what the policy allows, leaves the rest to others, and says why nobody runs a job', async () => {
  await cluster.start('w-closed', 'w-open');
  const dmz = { target: { with: { zone: 'dmz', place: 'cellar' } } };
  await cluster.putJob('allowed', { schedule: EVERY_SECOND, command: ['/bin/true'], ...dmz });
  await cluster.putJob('anywhere', { schedule: EVERY_SECOND, command: cluster.note('run') });
  await cluster.putJob('nowhere', { schedule: EVERY_SECOND, command: cluster.note('run'), ...dmz });
  expect(await cluster.recordOf('allowed')).toMatchObject({ outcome: 'succeeded', worker: 'w-closed' });
  await waitUntil(() => runsOf('anywhere') >= 4, { what: 'the other worker to run it' });
  const workers = [...(await cluster.records('anywhere')).values()].map(({ worker }) => worker);
  expect(new Set(workers)).toEqual(new Set(['w-open']));
  const status = await runEtcron(cluster, [etcd.endpoint], 'status');
  expect(status.stdout).toContain('policy that forbids commands through a shell');
});

it('is not got around by anything that is put into etcd', async () => {
  await cluster.putJob('forged', {
    ...{ schedule: EVERY_SECOND, command: cluster.note('run') },
    target: { with: { place: 'cellar' } },
  });
  await cluster.putJob('moved', {
    ...{ schedule: EVERY_SECOND, command: ['/bin/true'] },
    target: { with: { zone: 'core' } },
  });
  const before = runsOf('anywhere');
  // For longer than a worker leaves its record as others wrote it.
  while (runsOf('anywhere') < before + 8) {
    await forge();
    const id = { job: 'forged', dueMs: Date.now() + 1_000, suffix: 'manual-forged' };
    const firing = encodeFiring({ ...plannedFiring('x'), origin: 'manual' });
    await cluster.store.txn({ compare: [], success: [put(cluster.keys.firing(id), firing)] });
    const seen = runsOf('anywhere');
    await waitUntil(() => runsOf('anywhere') > seen, { what: 'time to pass' });
  }
  expect(runsOf('forged')).toBe(0);
  expect(runsOf('nowhere')).toBe(0);
  const began = [...(await cluster.records('moved')).values()].filter(({ attempts }) => attempts > 0);
  expect(began).toEqual([]);
});

it('is read again when its file changes; one with a mistake in it changes nothing', async () => {
  const closed = cluster.workers.find(({ name }) => name === 'w-closed')!;
  const dmz = { target: { with: { zone: 'dmz' } } };
  await cluster.putJob('later', { schedule: EVERY_SECOND, command: cluster.note('run'), ...dmz });
  writeFileSync(policy, 'commands:\n  shel: true\nlabels: { place: cellar }\n');
  await waitUntil(() => closed.log().includes('the policy file cannot be used'), { what: 'the complaint' });
  expect(closed.log()).toMatch(/"code":"ETCRON_CONFIG_INVALID".*policy\.yaml:2: /);
  expect(runsOf('later')).toBe(0);
  writeFileSync(policy, 'commands:\n  shell: true\nlabels: { place: cellar }\n');
  await waitUntil(() => runsOf('later') > 0, { what: 'the new policy to hold', timeoutMs: 60_000 });
  const workers = [...(await cluster.liveWorkers()).values()];
  expect(workers.find(({ name }) => name === 'w-closed')?.policy?.commands).toMatchObject({ shell: true });
});
