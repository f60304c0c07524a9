/** What the doctor finds out about a real etcd. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatherFacts } from '../../../src/cli/doctor/gather-facts.js';
import type { DoctorFacts } from '../../../src/cli/doctor/facts.js';
import { examine } from '../../../src/cli/doctor/run-doctor.js';
import { systemClock } from '../../../src/clock.js';
import { resolveConnectionOptions } from '../../../src/etcd/connection-options.js';
import { connect } from '../../../src/etcd/connect.js';
import { Keys } from '../../../src/etcd/keys.js';
import { put } from '../../../src/etcd/txn.js';
import { etcdctl, startEtcdCluster, type RunningEtcdCluster } from '../../support/etcd.js';

let etcd: RunningEtcdCluster;

beforeAll(async () => {
  etcd = await startEtcdCluster(3);
});
afterAll(() => etcd.stop());

async function look(flags: Record<string, unknown> = {}): Promise<DoctorFacts> {
  const connection = await resolveConnectionOptions({
    flags: { endpoints: etcd.endpoints.join(','), ...flags },
    env: {},
    configPath: null,
  });
  const store = await connect(connection);
  try {
    return await gatherFacts(
      { store, keys: new Keys(connection.prefix) },
      { clock: systemClock, connection, listenMs: 0, manyRevisions: 50 },
    );
  } finally {
    await store.close();
  }
}

const found = (facts: DoctorFacts): string[] =>
  examine(facts)
    .filter(({ check, findings }) => check.name.startsWith('etcd-') && findings.length > 0)
    .map(({ check }) => check.name);

test('three members that are well: only that nobody has to say who he is', async () => {
  const facts = await look();
  expect(facts.etcd.members).toHaveLength(3);
  expect(facts.etcd.members.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  expect(facts.etcd.readsMs.every((ms) => ms > 0)).toBe(true);
  expect(facts.etcd.access).toEqual({ isAuthenticated: false, isEncrypted: false, isLocal: true });
  expect(found(facts)).toEqual(['etcd-access']);
});

test('a history that nothing compacts, until somebody does', async () => {
  const connection = await resolveConnectionOptions({
    flags: { endpoints: etcd.endpoints.join(',') },
    env: {},
    configPath: null,
  });
  const store = await connect(connection);
  let revision = 0;
  for (let index = 0; index < 60; index += 1)
    ({ revision } = await store.txn({ compare: [], success: [put('/elsewhere', String(index))] }));
  await store.close();
  expect((await look()).etcd.uncompacted).toBe(50);
  await etcdctl(['compact', String(revision)], { endpoints: etcd.endpoints });
  expect((await look()).etcd.uncompacted).toBeNull();
});

test('a database that is too large for what etcron was told', async () => {
  const input = 'x'.repeat(500_000);
  for (const key of ['/large/a', '/large/b', '/large/c'])
    await etcdctl(['put', key], { endpoints: etcd.endpoints, input });
  expect(found(await look({ quotaBytes: 2 ** 20 }))).toContain('etcd-database');
  expect(found(await look())).not.toContain('etcd-database');
});

test('a member that is down, by its endpoint', async () => {
  // Without an election, in which requests fail for a moment.
  const leader = await etcd.leader();
  const first = etcd.members.find((member) => member !== leader);
  await first!.kill('SIGKILL');
  const facts = await look();
  expect(facts.etcd.members).toHaveLength(2);
  expect(facts.etcd.silent.map((endpoint) => first!.endpoint.endsWith(endpoint))).toEqual([true]);
  expect(found(facts)).toContain('etcd-members');
  await first!.restart();
});
