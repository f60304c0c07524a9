import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EtcronError } from '../../../src/errors.js';
import { etcdCacheDir, findEtcd } from '../../../src/etcd/embedded/find-etcd.js';
import { installWithApt } from '../../../src/etcd/embedded/install-with-apt.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-find-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function program(path: string, script: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const etcdOf = (version: string): string => `echo "etcd Version: ${version}"; echo "Git SHA: 1"`;

function fakeEtcd(folder: string, version: string): Promise<string> {
  return program(join(dir, folder, 'etcd'), etcdOf(version));
}

/** `path` holds folder names below the test's own. The shell itself stays reachable for the fake programs. */
function environment(path: string[], more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    PATH: path.map((name) => join(dir, name)).join(':'),
    ETCRON_CACHE_DIR: join(dir, 'cache'),
    ...more,
  };
}

async function errorOf(promise: Promise<unknown>): Promise<EtcronError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EtcronError);
  return error as EtcronError;
}

describe('order', () => {
  test('ETCD_BIN goes before the PATH, and brings the etcdctl of its folder', async () => {
    const named = await fakeEtcd('own', '3.6.1');
    const etcdctl = await program(join(dir, 'own/etcdctl'), 'true');
    await fakeEtcd('bin', '3.5.2');
    await program(join(dir, 'bin/etcdctl'), 'true');
    expect(await findEtcd({ env: environment(['bin'], { ETCD_BIN: named }) })).toEqual({
      etcd: named,
      etcdctl,
      version: '3.6.1',
    });
  });

  test('a linked ETCD_BIN finds the etcdctl beside the real program', async () => {
    const real = await fakeEtcd('opt', '3.6.1');
    const etcdctl = await program(join(dir, 'opt/etcdctl'), 'true');
    const link = join(dir, 'link');
    await symlink(real, link);
    expect(await findEtcd({ env: environment([], { ETCD_BIN: link }) })).toMatchObject({
      etcd: link,
      etcdctl,
    });
  });

  test('the PATH goes before the cache, whose etcdctl helps out', async () => {
    const onPath = await fakeEtcd('bin', '3.5.2');
    await fakeEtcd(`cache/etcd-${process.arch}`, '3.4.23');
    const etcdctl = await program(join(dir, `cache/etcd-${process.arch}/etcdctl`), 'true');
    expect(await findEtcd({ env: environment(['none', 'bin']) })).toEqual({
      etcd: onPath,
      etcdctl,
      version: '3.5.2',
    });
  });

  test('one on the PATH that is too old or does not run is passed over', async () => {
    await fakeEtcd('old', '3.3.25');
    await program(join(dir, 'broken/etcd'), 'exit 3');
    const good = await fakeEtcd('good', '3.4.0');
    expect(await findEtcd({ env: environment(['old', 'broken', 'good']) })).toEqual({
      etcd: good,
      version: '3.4.0',
    });
  });

  test('the cache is ETCRON_CACHE_DIR, else below XDG_CACHE_HOME, else below the home folder', () => {
    expect(etcdCacheDir({ ETCRON_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(etcdCacheDir({ XDG_CACHE_HOME: '/b' })).toBe('/b/etcron');
    expect(etcdCacheDir({})).toMatch(/\/\.cache\/etcron$/);
  });
});

describe('errors', () => {
  test('an ETCD_BIN that cannot be run is not silently replaced by another one', async () => {
    await fakeEtcd('bin', '3.5.2');
    const error = await errorOf(findEtcd({ env: environment(['bin'], { ETCD_BIN: join(dir, 'missing') }) }));
    expect(error.code).toBe('ETCRON_ETCD_BINARY');
    expect(error.message).toContain(join(dir, 'missing'));
    expect(error.hint).toContain('ETCD_BIN');
  });

  test('an ETCD_BIN that is another program is named as such', async () => {
    const other = await program(join(dir, 'other'), 'echo hello');
    const error = await errorOf(findEtcd({ env: environment([], { ETCD_BIN: other }) }));
    expect(error.message).toContain('does not say that it is etcd');
  });

  test('on a system without apt it lists what was tried, and what to do', async () => {
    await fakeEtcd('old', '3.3.25');
    const error = await errorOf(findEtcd({ env: environment(['old']) }));
    expect(error.code).toBe('ETCRON_ETCD_BINARY');
    expect(error.message).toContain('is version 3.3, older than 3.4');
    expect(error.message).toContain('no apt-get');
    expect(error.hint).toMatch(/Install etcd .* ETCD_BIN/);
  });
});

describe('getting it with apt', () => {
  /** An apt that only knows these words, and a dpkg-deb whose packages hold one program each. */
  async function fakeApt(download: string): Promise<NodeJS.ProcessEnv> {
    await program(
      join(dir, 'apt/apt-get'),
      `case "$*" in
        --version) echo apt;;
        *update) echo update >> ${dir}/calls; test -f "$3" && grep -q "$PWD/lists" "$3";;
        *install*--download-only*) echo install >> ${dir}/calls; cd archives; ${download};;
        *download*) echo download >> ${dir}/calls; ${download};;
        *) exit 9;;
      esac`,
    );
    await program(
      join(dir, 'apt/dpkg-deb'),
      `[ "$1" = --version ] && exit 0
      mkdir -p "$3/usr/bin"; name=\${2%%_*}; cp "$2" "$3/usr/bin/$name"; chmod +x "$3/usr/bin/$name"`,
    );
    return environment(['apt'], { PATH: `${join(dir, 'apt')}:/usr/bin:/bin` });
  }
  const packages = `printf '#!/bin/sh\\necho etcd Version: 3.4.23\\n' > etcd_1.deb; cp etcd_1.deb etcdctl_1.deb`;

  test('it is downloaded once, kept in the cache, and nothing else stays there', async () => {
    const env = await fakeApt(packages);
    const progress: string[] = [];
    const found = await findEtcd({ env, onProgress: (line) => progress.push(line) });
    const folder = join(dir, 'cache', `etcd-${process.arch}`);
    expect(found).toEqual({
      etcd: join(folder, 'etcd'),
      etcdctl: join(folder, 'etcdctl'),
      version: '3.4.23',
    });
    expect(progress.join('\n')).toMatch(
      /No etcd is installed.*\n.*lists.*\nDownloading etcd-server and etcd-client/,
    );
    expect(await readdir(join(dir, 'cache'))).toEqual([`etcd-${process.arch}`]);

    await program(join(dir, 'apt/apt-get'), 'exit 1');
    expect(await findEtcd({ env })).toEqual(found);
  });

  test('two at the same time both succeed', async () => {
    const env = await fakeApt(packages);
    const [one, two] = await Promise.all([findEtcd({ env }), findEtcd({ env })]);
    expect(one).toEqual(two);
    expect(await readdir(join(dir, 'cache'))).toEqual([`etcd-${process.arch}`]);
  });

  test('a copy in the cache that does not run is replaced', async () => {
    const env = await fakeApt(packages);
    await program(join(dir, `cache/etcd-${process.arch}/etcd`), 'exit 1');
    expect(await findEtcd({ env })).toMatchObject({ version: '3.4.23' });
  });

  test("a whole tree, with what the packages depend on and with a file of one's own", async () => {
    const env = await fakeApt(packages);
    const cacheDir = join(dir, 'cache');
    const into = join(cacheDir, 'browser');
    await installWithApt({
      ...{ packages: ['browser'], keep: 'tree', dependencies: true, files: { 'fonts.conf': 'fonts' } },
      ...{ into, cacheDir, env, onProgress: () => undefined },
    });
    expect(await readFile(join(dir, 'calls'), 'utf8')).toBe('update\ninstall\n');
    expect((await readdir(into)).sort()).toEqual(['fonts.conf', 'usr']);
    expect((await readdir(join(into, 'usr/bin'))).sort()).toEqual(['etcd', 'etcdctl']);
    expect(await readdir(cacheDir)).toEqual(['browser']);
  });

  test('when it fails, the error holds the words of apt, and nothing stays', async () => {
    const env = await fakeApt('echo "E: Unable to locate package etcd-server" >&2; exit 100');
    const error = await errorOf(findEtcd({ env }));
    expect(error.code).toBe('ETCRON_ETCD_BINARY');
    expect(error.message).toContain('E: Unable to locate package etcd-server');
    expect(await readdir(join(dir, 'cache'))).toEqual([]);
  });
});
