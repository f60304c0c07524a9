/** The way of a database to its quota, on a real etcd with a tiny one: what `etcron status` and the leader say. */
import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectCluster } from '../../src/cli/connection.js';
import { runCli } from '../../src/cli/program.js';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { put } from '../../src/etcd/txn.js';
import { DatabaseWatch } from '../../src/plan/database-watch.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';

const QUOTA_BYTES = 4 * 2 ** 20;
const VALUE = 'x'.repeat(2 ** 16);

let etcd: RunningEtcd;
let store: EtcdStore;

beforeAll(async () => {
  etcd = await startEtcd({ extraArgs: ['--quota-backend-bytes', String(QUOTA_BYTES)] });
  store = new EtcdStore({ endpoints: [new URL(etcd.endpoint).host], quotaBytes: QUOTA_BYTES });
});
afterAll(async () => {
  await store?.close();
  await etcd?.stop();
});

async function status(): Promise<{ code: number; stdout: string }> {
  let stdout = '';
  const env = { ETCRON_ENDPOINTS: etcd.endpoint, ETCRON_QUOTA_BYTES: String(QUOTA_BYTES) };
  const code = await runCli(['status'], {
    stdin: process.stdin,
    stdout: { write: (text) => (stdout += text.toString()) },
    stderr: process.stderr,
    env,
    clock: new FakeClock(0),
    connect: (options) => connectCluster(options, env),
  });
  return { code, stdout };
}

/** Puts until it holds, or etcd refuses. */
async function fillUntil(reached: () => Promise<boolean>): Promise<void> {
  for (let index = 0; !(await reached()); index += 1)
    await store.txn({ compare: [], success: [put(`/fill/${index}`, VALUE)] });
}

it('is told by status and by the leader before it is reached, and when it is', async () => {
  const clock = new FakeClock(0);
  const said: string[] = [];
  const log = pino({}, { write: (line: string) => void said.push(line) });
  const watch = new DatabaseWatch({ store, clock, log });
  const look = async (): Promise<string> => {
    await clock.advance(60_000);
    said.length = 0;
    await watch.look();
    return said.join('');
  };

  expect(await look()).toBe('');
  expect((await status()).stdout).toMatch(/^etcd .* MiB, \d+ % of 4\.0 MiB {2}leader$/m);
  expect((await status()).stdout).not.toContain('keep less history');

  await fillUntil(async () => (await store.status())[0]!.dbSizeBytes >= 0.8 * QUOTA_BYTES);
  expect((await status()).stdout).toMatch(/✗ etcd's database on .* fills .* keep less history/);
  expect(await look()).toContain('"level":40');
  expect(await look()).toBe('');

  await expect(fillUntil(() => Promise.resolve(false))).rejects.toMatchObject({
    code: 'ETCRON_ETCD_NO_SPACE',
  });
  const full = await status();
  expect(full).toMatchObject({ code: 1 });
  expect(full.stdout).toContain("✗ etcd's database reached its quota");
  expect(await look()).toContain('"level":50');
});
