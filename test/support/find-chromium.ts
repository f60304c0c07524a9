/**
 * Which Chromium the tests of the page drive, in this order: `CHROMIUM_BIN`, the PATH, etcron's cache, the system's
 * package manager. The last one unpacks Debian's packages into the cache, without root and without a change of the
 * system, with those libraries that the machine lacks; only that needs the network, and only once.
 */
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { etcdCacheDir } from '../../src/etcd/embedded/find-etcd.js';

export interface Chromium {
  /** Absolute path of the program. */
  readonly program: string;
  /** Added to its environment: where its libraries and fonts are, when they are not the system's. */
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
}

/** The shell without a window is a third of the whole, and all that tests need. */
const PACKAGES = ['chromium-headless-shell', 'chromium'];
const NAMES = ['chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome'];
const STEP_TIMEOUT_MS = 600_000;
const VERSION_TIMEOUT_MS = 60_000;

/** Rejects with an Error that says what was tried. */
export async function findChromium(
  onProgress: (line: string) => void = () => undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Chromium> {
  const tried: string[] = [];
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const paths = env.CHROMIUM_BIN
    ? [env.CHROMIUM_BIN]
    : folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  for (const path of paths) {
    if (!(await isExecutable(path))) continue;
    const version = await versionOf(path, {});
    if (version !== null) return { program: path, env: {}, version };
    tried.push(`${path} cannot be run`);
  }
  const cacheDir = etcdCacheDir(env);
  const root = join(cacheDir, `chromium-${process.arch}`);
  const cached = await unpacked(root);
  if (cached) return cached;
  await rm(root, { recursive: true, force: true });
  for (const name of PACKAGES) {
    try {
      onProgress(`No Chromium is installed. Getting Debian's with apt into ${cacheDir}, once …`);
      await unpackPackages(name, root, cacheDir);
      const found = await unpacked(root);
      if (found) return found;
      tried.push(`${name} of the system's packages cannot be run`);
    } catch (error) {
      tried.push(
        `${name} of the system's packages: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    await rm(root, { recursive: true, force: true });
  }
  throw new Error(
    `no Chromium was found: ${tried.join('; ')}\nInstall chromium, or set CHROMIUM_BIN to the path of one.`,
  );
}

/** What lies in the cache; null when it is not there or does not run. */
async function unpacked(root: string): Promise<Chromium | null> {
  const shells = ['usr/lib/chromium/headless_shell', 'usr/lib/chromium/chromium-headless-shell'];
  for (const program of [...shells, 'usr/lib/chromium/chromium'].map((path) => join(root, path))) {
    if (!(await isExecutable(program))) continue;
    const libraries = await libraryFolders(root);
    const env = {
      LD_LIBRARY_PATH: libraries.join(':'),
      FONTCONFIG_FILE: join(root, 'fonts.conf'),
    };
    const version = await versionOf(program, env);
    if (version !== null) return { program, env, version };
  }
  return null;
}

/** Folders of the unpacked tree that hold shared libraries. */
async function libraryFolders(root: string): Promise<string[]> {
  const folders = new Set<string>();
  for (const base of ['lib', 'usr/lib']) {
    const files = await readdir(join(root, base), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const file of files) if (/\.so(\.\d+)*$/.test(file.name)) folders.add(file.parentPath);
  }
  return [...folders].sort((one, other) => one.length - other.length);
}

/**
 * Downloads the package and everything it depends on that is not installed, with lists, locks and a cache of its own,
 * and unpacks all of it. `into` appears complete or not at all.
 */
async function unpackPackages(name: string, into: string, cacheDir: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, '.install-'));
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'root'])
      await mkdir(join(work, folder), { recursive: true });
    const config = join(work, 'apt.conf');
    await writeFile(config, aptConfig(work));
    const apt = (...args: string[]) =>
      execa('apt-get', ['-q', '-c', config, ...args], {
        cwd: work,
        all: true,
        stdin: 'ignore',
        timeout: STEP_TIMEOUT_MS,
        env: { LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
      });
    await apt('update');
    await apt('install', '--download-only', '--yes', '--no-install-recommends', name, 'fonts-dejavu-core');
    const archives = (await readdir(join(work, 'archives'))).filter((file) => file.endsWith('.deb'));
    for (const archive of archives) {
      await execa('dpkg-deb', ['-x', join(work, 'archives', archive), join(work, 'root')], {
        timeout: STEP_TIMEOUT_MS,
      });
    }
    await writeFile(join(work, 'root', 'fonts.conf'), await fontsConfig(into));
    await rename(join(work, 'root'), into).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; its files are as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** As root, apt would hand downloads to a user who may not write here; hooks concern the system's own caches. */
function aptConfig(work: string): string {
  return `
Dir::State "${work}";
Dir::State::Lists "${work}/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${work}";
Dir::Cache::Archives "${work}/archives";
Debug::NoLocking "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
`;
}

/** The system's fonts, where it has any, and those that were unpacked. */
async function fontsConfig(root: string): Promise<string> {
  const system = await readFile('/etc/fonts/fonts.conf', 'utf8').then(
    () => '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>',
    () => '<dir>/usr/share/fonts</dir>',
  );
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  ${system}
  <dir>${root}/usr/share/fonts</dir>
  <cachedir>${root}/fonts-cache</cachedir>
</fontconfig>
`;
}

async function versionOf(program: string, env: Record<string, string>): Promise<string | null> {
  const result = await execa(program, ['--version'], {
    env,
    reject: false,
    stdin: 'ignore',
    timeout: VERSION_TIMEOUT_MS,
  });
  const version = /(?:Chrom\w+|HeadlessShell|Chrome\S*)\D*(\d+\.\d+\.\d+\.\d+)/i.exec(result.stdout);
  return result.failed ? null : (version?.[1] ?? 'unknown');
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
