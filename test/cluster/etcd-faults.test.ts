import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { certificates, etcdctl, startEtcd, startEtcdCluster } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const EVERY_SECOND = '* * * * * *';
const JOBS = ['a', 'b', 'c'];

const cleanUps: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

async function startJobs(cluster: Cluster): Promise<number> {
  // Late runs after an outage are wanted here, each of them.
  const misfire = { policy: 'all', window: '1h', limit: 1000 };
  for (const job of JOBS) {
    await cluster.putJob(job, {
      schedule: EVERY_SECOND,
      command: cluster.note('start'),
      overlap: 'allow',
      misfire,
    });
  }
  await waitUntil(() => cluster.evidence().length >= 6, { what: 'the first runs' });
  return Date.now();
}

async function runsGoOn(cluster: Cluster): Promise<void> {
  const { length } = cluster.evidence();
  await waitUntil(() => cluster.evidence().length > length + 10, {
    what: 'runs to go on',
    timeoutMs: 60_000,
  });
}

async function expectAllAccounted(cluster: Cluster, fromMs: number): Promise<void> {
  const throughMs = Date.now();
  for (const job of JOBS) await cluster.ended(job, throughMs);
  for (const job of JOBS) expect(await cluster.accounting(job, EVERY_SECOND, fromMs, throughMs)).toEqual([]);
  expect(cluster.violations()).toEqual([]);
}

describe('an etcd of three members', () => {
  it('may lose its leader and have any member restarted while jobs run', async () => {
    const etcd = await startEtcdCluster(3);
    cleanUps.push(() => etcd.stop());
    const cluster = new Cluster({ endpoints: etcd.endpoints });
    cleanUps.push(() => cluster.stop());
    await cluster.start('w-1', 'w-2', 'w-3');
    const fromMs = await startJobs(cluster);

    const leader = await etcd.leader();
    await leader.kill('SIGKILL');
    await runsGoOn(cluster);
    await leader.restart();
    for (const member of etcd.members) {
      await member.restart();
      await runsGoOn(cluster);
    }
    await expectAllAccounted(cluster, fromMs);
  });
});

describe('a single etcd', () => {
  it('may be compacted under the watches and restarted on its data', async () => {
    const etcd = await startEtcd();
    cleanUps.push(() => etcd.stop());
    const cluster = new Cluster({ endpoints: etcd.endpoints });
    cleanUps.push(() => cluster.stop());
    await cluster.start('w-1', 'w-2');
    const fromMs = await startJobs(cluster);

    // A frozen worker falls behind; what it would read next is compacted away meanwhile.
    const frozen = cluster.workers.find((worker) => worker.child.exitCode === null)!;
    process.kill(frozen.pid, 'SIGSTOP');
    await runsGoOn(cluster);
    const status = await etcdctl(['endpoint', 'status', '-w', 'json'], { endpoints: etcd.endpoints });
    const [{ Status }] = JSON.parse(status) as [{ Status: { header: { revision: number } } }];
    await etcdctl(['compact', String(Status.header.revision)], { endpoints: etcd.endpoints });
    process.kill(frozen.pid, 'SIGCONT');
    await runsGoOn(cluster);

    await etcd.kill('SIGKILL');
    await pause(5_000);
    await etcd.restart();
    await runsGoOn(cluster);
    await expectAllAccounted(cluster, fromMs);
    // Logged once per change of state, not once per try.
    for (const worker of cluster.workers) expect(worker.log().split('\n').length).toBeLessThan(5_000);
  });

  it('may ask for client certificates', async () => {
    const cluster0 = new Cluster({ endpoints: ['https://127.0.0.1:1'] });
    const files = await certificates(cluster0.folder);
    const etcd = await startEtcd({
      tls: {
        ca: files.ca,
        cert: files.server.cert,
        key: files.server.key,
        clientCertAuth: true,
        client: files.client,
      },
    });
    cleanUps.push(() => cluster0.stop());
    cleanUps.push(() => etcd.stop());
    const { readFileSync } = await import('node:fs');
    const cluster = new Cluster({
      endpoints: etcd.endpoints,
      store: {
        tls: {
          ca: readFileSync(files.ca),
          cert: readFileSync(files.client.cert),
          key: readFileSync(files.client.key),
        },
      },
      workerArgs: ['--cacert', files.ca, '--cert', files.client.cert, '--key', files.client.key],
    });
    cleanUps.push(() => cluster.stop());
    await cluster.start('w-1', 'w-2');
    const fromMs = await startJobs(cluster);
    await runsGoOn(cluster);
    await expectAllAccounted(cluster, fromMs);
  });

  it('may ask for a user and a password, whose tokens expire', async () => {
    const etcd = await startEtcd({ extraArgs: ['--auth-token-ttl', '3'] });
    cleanUps.push(() => etcd.stop());
    const { endpoints } = etcd;
    const credentials = { user: 'root', password: 'correct-horse' };
    await etcdctl(['user', 'add', `${credentials.user}:${credentials.password}`], { endpoints });
    await etcdctl(['user', 'grant-role', 'root', 'root'], { endpoints }).catch(async () => {
      await etcdctl(['role', 'add', 'root'], { endpoints });
      await etcdctl(['user', 'grant-role', 'root', 'root'], { endpoints });
    });
    await etcdctl(['auth', 'enable'], { endpoints });
    const cluster = new Cluster({
      endpoints,
      store: { credentials },
      env: { ETCRON_USER: credentials.user, ETCRON_PASSWORD: credentials.password },
    });
    cleanUps.push(() => cluster.stop());
    await cluster.start('w-1', 'w-2');
    await cluster.putJob('spy', { schedule: '* * * * * *', command: `env > ${cluster.folder}/env` });
    const fromMs = await startJobs(cluster);
    // Several times the life of a token.
    await waitUntil(() => Date.now() > fromMs + 12_000, { what: 'tokens to expire' });
    await runsGoOn(cluster);
    await expectAllAccounted(cluster, fromMs);
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(`${cluster.folder}/env`, 'utf8')).not.toContain(credentials.password);
  });
});
