import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataDir } from '../../../src/etcd/embedded/data-dir-lock.js';

let dir: string;
let file: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-lock-'));
  file = join(dir, 'lock');
});
afterEach(() => rm(dir, { recursive: true }));

test('one holder at a time, and the next one after its release', async () => {
  const first = await lockDataDir(file);
  if (!first.acquired) throw new Error('not acquired');
  expect(await lockDataDir(file)).toEqual({ acquired: false, ownerPid: process.pid });
  await first.release();
  expect(await lockDataDir(file)).toMatchObject({ acquired: true });
});

test('the lock of a process that is gone is taken over', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  await writeFile(file, JSON.stringify({ pid: child.pid, started: '1' }));
  expect(await lockDataDir(file)).toMatchObject({ acquired: true });
});

test('a later process with the same id does not count as the owner', async () => {
  await lockDataDir(file);
  const owner = JSON.parse(await readFile(file, 'utf8')) as { pid: number; started: string };
  await writeFile(file, JSON.stringify({ ...owner, started: `${owner.started}1` }));
  expect(await lockDataDir(file)).toMatchObject({ acquired: true });
});

test('a file cut off in the middle is taken over', async () => {
  await writeFile(file, '{"pid":');
  expect(await lockDataDir(file)).toMatchObject({ acquired: true });
});
