/**
 * Which Chromium the tests of the page drive, in this order: `CHROMIUM_BIN`, the PATH, etcron's cache, the system's
 * package manager. The last one unpacks Debian's packages into the cache, without root and without a change of the
 * system, with those libraries that the machine lacks; only that needs the network, and only once.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { etcdCacheDir } from '../../src/etcd/embedded/find-etcd.js';
import { installWithApt } from '../../src/etcd/embedded/install-with-apt.js';

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
      await installWithApt({
        packages: [name, 'fonts-dejavu-core'],
        keep: 'tree',
        dependencies: true,
        files: { 'fonts.conf': await fontsConfig(root) },
        into: root,
        ...{ cacheDir, env, onProgress },
      });
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
