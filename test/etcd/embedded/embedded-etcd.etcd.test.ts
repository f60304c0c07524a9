import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { EtcronError } from '../../../src/errors.js';
import {
  startEmbeddedEtcd,
  type EmbeddedEtcd,
  type EmbeddedEtcdOptions,
} from '../../../src/etcd/embedded/embedded-etcd.js';
import { findEtcd, type EtcdBinary } from '../../../src/etcd/embedded/find-etcd.js';
import { etcdctl } from '../../support/etcd.js';

const log = pino({ level: 'silent' });
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-embedded-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function start(options: Partial<EmbeddedEtcdOptions> = {}): Promise<EmbeddedEtcd> {
  const etcd = await startEmbeddedEtcd({ log, ...options });
  onTestFinished(() => etcd.stop());
  return etcd;
}

const put = (etcd: EmbeddedEtcd, value: string): Promise<string> =>
  etcdctl(['put', '/a', value], { endpoints: [etcd.endpoint] });
const get = (etcd: EmbeddedEtcd): Promise<string> =>
  etcdctl(['get', '/a', '--print-value-only'], { endpoints: [etcd.endpoint] });

/** An etcd that runs these shell lines first. */
async function scripted(lines: string): Promise<EtcdBinary> {
  const real = await findEtcd();
  const etcd = join(dir, 'scripted-etcd');
  await writeFile(etcd, `#!/bin/sh\n${lines}\nexec "${real.etcd}" "$@"\n`);
  await chmod(etcd, 0o755);
  return { etcd, version: real.version };
}

async function startErrorOf(options: Partial<EmbeddedEtcdOptions>): Promise<EtcronError> {
  const error = await start(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EtcronError);
  expect((error as EtcronError).code).toBe('ETCRON_ETCD_START');
  return error as EtcronError;
}

test('it answers when it has started; stop ends it and deletes its temporary data', async () => {
  const etcd = await start();
  await put(etcd, '1');
  expect(await get(etcd)).toBe('1');
  expect(existsSync(etcd.dataDir)).toBe(true);
  await Promise.all([etcd.stop(), etcd.stop()]);
  expect(await etcd.exited).toEqual({ code: null, signal: 'SIGTERM' });
  expect(existsSync(etcd.dataDir)).toBe(false);
});

test('a kept data folder goes on after an orderly stop and after a kill, on other ports', async () => {
  const dataDir = join(dir, 'new/data');
  const first = await start({ dataDir });
  await put(first, '1');
  await first.stop();

  const second = await start({ dataDir });
  expect(second.endpoint).not.toBe(first.endpoint);
  expect(await get(second)).toBe('1');
  await put(second, '2');
  process.kill(second.pid, 'SIGKILL');
  expect((await second.exited).signal).toBe('SIGKILL');
  await second.stop();

  const third = await start({ dataDir });
  expect(await get(third)).toBe('2');
});

test('a data folder that is in use is refused at once, with the process that uses it', async () => {
  const first = await start({ dataDir: dir });
  const error = await startErrorOf({ dataDir: dir });
  expect(error.message).toContain(`in use by process ${process.pid}`);
  await put(first, 'still works');
});

test('variables of the environment that configure etcd do not reach it', async () => {
  vi.stubEnv('ETCD_LISTEN_CLIENT_URLS', 'http://127.0.0.1:1');
  vi.stubEnv('ETCD_DATA_DIR', '/nowhere');
  onTestFinished(() => void vi.unstubAllEnvs());
  const etcd = await start();
  await put(etcd, '1');
});

test('a port that somebody took in the last moment costs one more try', async () => {
  const marker = join(dir, 'tried');
  const binary = await scripted(
    `[ -e ${marker} ] || { : > ${marker}; echo "listen tcp 127.0.0.1:1: bind: address already in use" >&2; exit 1; }`,
  );
  const etcd = await start({ binary });
  await put(etcd, '1');
});

test('an etcd that ends at once is reported with its last words, and leaves nothing behind', async () => {
  const dataDir = join(dir, 'data');
  const error = await startErrorOf({ dataDir, binary: await scripted('echo "no such flag" >&2; exit 2') });
  expect(error.message).toContain('exit code 2');
  expect(error.message).toContain('no such flag');
  expect(await readdir(dataDir)).toEqual([]);
});

test('an etcd that never answers is given up and ended', async () => {
  const binary = await scripted('echo "waiting for a lock"; sleep 1000');
  const error = await startErrorOf({ binary, startDeadlineMs: 300 });
  expect(error.message).toContain('not healthy after 0.3 s');
  expect(error.message).toContain('waiting for a lock');
});

test('a binary that cannot be started and a data folder that cannot be written are clear errors', async () => {
  const missing = await startErrorOf({ binary: { etcd: join(dir, 'missing'), version: '3.5.0' } });
  expect(missing.message).toContain('ENOENT');
  await writeFile(join(dir, 'file'), '');
  const notFolder = await startErrorOf({ dataDir: join(dir, 'file') });
  expect(notFolder.message).toContain(join(dir, 'file'));
});
