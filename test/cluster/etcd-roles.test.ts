/** The roles that `etcron etcd-roles` prints, on an etcd with authentication: each can do its work, and nothing else. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { execa } from 'execa';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import type { KeyRange } from '../../src/etcd/store.js';
import { prefixRange, singleKey } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { runEtcron, type CliRun } from '../support/cli-process.js';
import { Cluster } from '../support/cluster.js';
import { etcdctl, startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const PASSWORD = 'correct-horse';
const ROLES = ['worker', 'operator', 'viewer', 'admin'] as const;

let etcd: RunningEtcd;
let cluster: Cluster;
const stores = new Map<string, EtcdStore>();

beforeAll(async () => {
  etcd = await startEtcd();
  const { endpoints } = etcd;
  cluster = new Cluster({
    endpoints,
    store: { credentials: { user: 'root', password: PASSWORD } },
    env: { ETCRON_USER: 'worker', ETCRON_PASSWORD: PASSWORD },
    workerArgs: ['--lease-ttl', '5s'],
  });
  const printed = await runEtcron(cluster, endpoints, 'etcd-roles');
  for (const line of printed.stdout.split('\n').filter((text) => text.startsWith('etcdctl ')))
    await etcdctl(line.split(' ').slice(1), { endpoints });
  for (const role of ROLES) {
    await etcdctl(['user', 'add', `${role}:${PASSWORD}`], { endpoints });
    await etcdctl(['user', 'grant-role', role, `etcron-${role}`], { endpoints });
    stores.set(role, new EtcdStore({ endpoints, credentials: { user: role, password: PASSWORD } }));
  }
  await etcdctl(['user', 'add', `root:${PASSWORD}`], { endpoints });
  await etcdctl(['role', 'add', 'root'], { endpoints }).catch(() => undefined);
  await etcdctl(['user', 'grant-role', 'root', 'root'], { endpoints });
  await etcdctl(['auth', 'enable'], { endpoints });
});

afterAll(async () => {
  for (const store of stores.values()) await store.close();
  await cluster.stop();
  await etcd.stop();
});

const as = (role: (typeof ROLES)[number], ...args: string[]): Promise<CliRun> =>
  runEtcron(cluster, etcd.endpoints, ...args, '--user', role, '--password', PASSWORD);

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
const write = (role: string, key: string): Promise<string> =>
  codeOf(stores.get(role)!.txn({ compare: [], success: [put(key, '{}')] }));
const read = (role: string, range: KeyRange): Promise<string> => codeOf(stores.get(role)!.range(range));

it('printed for a shell, they are what a shell takes', async () => {
  const printed = await runEtcron(cluster, etcd.endpoints, 'etcd-roles', '--role-prefix', 'other-');
  const script = `etcdctl() { printf '%s|' "$@"; echo; }\n${printed.stdout}`;
  const { stdout } = await execa('/bin/sh', ['-e', '-c', script]);
  expect(stdout).toContain(`role|grant-permission|other-worker|readwrite|${cluster.keys.cursor}|\n`);
});

it('each role can do its work', async () => {
  await cluster.start('w-1', 'w-2');
  const created = await as('admin', 'tokens', 'create', 'anna', '--role', 'admin');
  expect(created).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^etcron_/) as string });
  await cluster.putJob('tick', { schedule: '* * * * * *', command: cluster.note('run') });
  await waitUntil(() => cluster.evidence().length >= 3, { what: 'the workers to run it' });
  const operator = async (...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await as('operator', ...args);
    expect({ args, exitCode, stderr }).toMatchObject({ exitCode: 0 });
  };
  await operator('limits', 'set', 'db', '3');
  await operator('jobs', 'pause', 'tick', '--reason', 'test');
  await operator('run', 'tick');
  await operator('jobs', 'delete', 'tick');
  await operator('audit');
  expect((await as('viewer', 'runs', 'list')).stdout).toContain('tick/');
  expect((await as('viewer', 'status')).stdout).toContain('healthy');
});

it('and nothing else', async () => {
  const { keys } = cluster;
  const denied = 'ETCRON_ETCD_AUTH';
  const outside = '/elsewhere/key';
  for (const role of ROLES) {
    expect([role, await write(role, outside)]).toEqual([role, denied]);
    expect([role, await read(role, prefixRange('/elsewhere/'))]).toEqual([role, denied]);
  }
  const forbidden: Record<string, string[]> = {
    worker: [keys.job('x'), keys.setOf('x'), keys.limit('x'), keys.token('x'), keys.drain('w-1')],
    operator: [
      ...[`${keys.locks}x`, `${keys.runs}x`, keys.leader, keys.cursor, keys.worker('x')],
      ...[keys.token('x'), keys.secret],
    ],
    viewer: [keys.job('x'), keys.limit('x'), `${keys.kills}x`, `${keys.audit}x`, keys.token('x')],
    admin: [],
  };
  for (const [role, places] of Object.entries(forbidden))
    for (const key of places) expect([role, key, await write(role, key)]).toEqual([role, key, denied]);
  for (const role of ['operator', 'viewer'])
    for (const range of [prefixRange(keys.tokens), singleKey(keys.secret)])
      expect([role, await read(role, range)]).toEqual([role, denied]);
  expect(await read('viewer', prefixRange(keys.audit))).toBe(denied);
  expect((await as('viewer', 'limits', 'set', 'db', '4')).stderr).toContain(denied);
});
