import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { certificates, etcdctl, startEtcd, startEtcdCluster } from './etcd.js';

test('one member keeps its data and its endpoint over a restart and a SIGKILL', async () => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd.stop());
  const { endpoints } = etcd;
  await etcdctl(['put', '/a', '1'], { endpoints });
  const firstPid = etcd.pid;

  await etcd.restart();
  expect(etcd.pid).not.toBe(firstPid);
  await etcd.kill('SIGKILL');
  expect(etcd.running).toBe(false);
  await etcd.restart();

  expect(await etcdctl(['get', '/a', '--print-value-only'], { endpoints })).toBe('1');
  await etcd.stop();
  expect(existsSync(etcd.dataDir)).toBe(false);
});

test('a value can come from stdin', async () => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd.stop());
  await etcdctl(['put', '/a'], { endpoints: etcd.endpoints, input: 'b: 1\nc: 2' });
  expect(await etcdctl(['get', '/a', '--print-value-only'], { endpoints: etcd.endpoints })).toBe(
    'b: 1\nc: 2',
  );
});

test('a paused member answers again after resume, and a paused one can be stopped', async () => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd.stop());
  etcd.pause();
  await expect(
    etcdctl(['get', '/a', '--command-timeout', '1s'], { endpoints: etcd.endpoints }),
  ).rejects.toThrow(/deadline exceeded/);
  etcd.resume();
  await etcdctl(['get', '/a'], { endpoints: etcd.endpoints });
  etcd.pause();
  await etcd.stop();
  expect(etcd.running).toBe(false);
});

test('a cluster elects another leader when the leader is killed, and takes it back', async () => {
  const cluster = await startEtcdCluster(3);
  onTestFinished(() => cluster.stop());
  const leader = await cluster.leader();
  await leader.kill('SIGKILL');
  const others = cluster.members.filter((member) => member !== leader);
  for (const member of others) await member.waitHealthy();
  expect(others).toContain(await cluster.leader());

  await etcdctl(['put', '/a', '1'], { endpoints: others.map((member) => member.endpoint) });
  await leader.restart();
  expect(await etcdctl(['get', '/a', '--print-value-only'], { endpoints: [leader.endpoint] })).toBe('1');
});

test('TLS with client certificates refuses a client without one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'etcron-test-certs-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const { ca, server, client } = await certificates(dir);
  const etcd = await startEtcd({ tls: { ca, ...server, clientCertAuth: true, client } });
  onTestFinished(() => etcd.stop());
  const { endpoints } = etcd;
  await etcdctl(['put', '/a', '1', '--cacert', ca, '--cert', client.cert, '--key', client.key], {
    endpoints,
  });
  await expect(
    etcdctl(['put', '/a', '2', '--cacert', ca, '--command-timeout', '2s'], { endpoints }),
  ).rejects.toThrow(/bad certificate|certificate required|deadline exceeded/);
});
