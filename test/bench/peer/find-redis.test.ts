import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRedis } from '../../../bench/peer/find-redis.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-redis-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function fakeRedis(folder: string, output: string): Promise<string> {
  const path = join(dir, folder, 'redis-server');
  await mkdir(join(dir, folder), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "${output}"\n`);
  await chmod(path, 0o755);
  return path;
}

const find = (...path: string[]) =>
  findRedis({
    env: { PATH: path.map((name) => join(dir, name)).join(':'), ETCRON_CACHE_DIR: join(dir, 'cache') },
    install: false,
  });

describe('the Redis of the peer', () => {
  it('is the first on the PATH that is one', async () => {
    await fakeRedis('wrong', 'something else');
    const path = await fakeRedis('right', 'Redis server v=7.0.15 sha=0:0 bits=64');
    expect(await find('empty', 'wrong', 'right')).toMatchObject({ path, version: '7.0.15' });
  });

  it('comes from the cache otherwise, with the libraries that lie beside it', async () => {
    const folder = `cache/redis-${process.arch}`;
    const path = await fakeRedis(folder, 'Redis server v=7.2.4 sha=0:0');
    expect(await find('empty')).toMatchObject({ path, env: { LD_LIBRARY_PATH: join(dir, folder) } });
  });

  it('is missed with all that was tried', async () => {
    await fakeRedis('wrong', 'something else');
    await expect(find('wrong')).rejects.toThrow(/does not say that it is Redis.*no usable redis-server/);
  });
});
