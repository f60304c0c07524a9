/**
 * Gets programs out of the Debian packages that carry them, without root and without touching the system: apt works on
 * package lists and a cache of its own in a temporary folder, with the system's sources, keys and proxy settings, so
 * signatures are checked as usual; the packages are unpacked, not installed.
 */
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa, ExecaError } from 'execa';

const STEP_TIMEOUT_MS = 600_000;
const STALE_AFTER_MS = 24 * 3_600_000;
const WORK_PREFIX = '.install-';
const WITH_DEPENDENCIES = ['install', '--download-only', '--yes', '--no-install-recommends'];

export interface AptInstall {
  packages: readonly string[];
  /**
   * What is kept. `programs`: these files alone, side by side, as paths inside the packages (`usr/bin/etcd`). `tree`: all of
   * the packages as they are.
   */
  keep: { readonly programs: readonly string[] } | 'tree';
  /** Keeps the shared libraries of the packages beside the programs, too, for `LD_LIBRARY_PATH`. */
  libraries?: boolean;
  /** Fetches those packages, too, that these need and that the machine lacks. Default: the packages alone. */
  dependencies?: boolean;
  /** Files of one's own beside what was unpacked: their texts by path. */
  files?: Readonly<Record<string, string>>;
  /** The folder that will hold the programs; its parent is the cache. */
  into: string;
  cacheDir: string;
  env: NodeJS.ProcessEnv;
  onProgress: (line: string) => void;
}

export async function hasApt(env: NodeJS.ProcessEnv): Promise<boolean> {
  const options = { env, extendEnv: false, reject: false };
  const versions = [execa('apt-get', ['--version'], options), execa('dpkg-deb', ['--version'], options)];
  return (await Promise.all(versions)).every((result) => !result.failed);
}

/**
 * Downloads and unpacks; `into` appears complete or not at all. Where two processes install at the same time, one wins
 * and both end with the same files. Throws an Error whose message holds apt's own words.
 */
export async function installWithApt(install: AptInstall): Promise<void> {
  await mkdir(install.cacheDir, { recursive: true });
  await removeStaleWork(install.cacheDir);
  const work = await mkdtemp(join(install.cacheDir, WORK_PREFIX));
  try {
    const config = join(work, 'apt.conf');
    await writeFile(config, await aptConfig(work));
    install.onProgress('Reading the package lists …');
    const update = await runApt(['-c', config, 'update'], work, install.env);
    install.onProgress(`Downloading ${install.packages.join(' and ')} …`);
    const wanted = install.dependencies === true ? WITH_DEPENDENCIES : ['download'];
    const download = await runApt(['-c', config, ...wanted, ...install.packages], work, install.env);
    if (download.failed) throw new Error(lastLines(`${update.output}\n${download.output}`));

    const root = join(work, 'root');
    // `download` writes into the current folder, `install` into the archives.
    for (const folder of [work, join(work, 'archives')]) {
      for (const name of await readdir(folder)) {
        if (!name.endsWith('.deb')) continue;
        await execa('dpkg-deb', ['-x', name, root], {
          cwd: folder,
          env: install.env,
          extendEnv: false,
          timeout: STEP_TIMEOUT_MS,
        });
      }
    }
    const ready = install.keep === 'tree' ? root : await chosenFiles(root, join(work, 'ready'), install);
    for (const [path, text] of Object.entries(install.files ?? {})) await writeFile(join(ready, path), text);
    await moveInPlace(ready, install.into);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Copies, since a program can be a link to one in another package. */
async function chosenFiles(root: string, ready: string, { keep, libraries }: AptInstall): Promise<string> {
  await mkdir(ready);
  const programs = keep === 'tree' ? [] : keep.programs.map((program) => join(root, program));
  for (const file of [...programs, ...(libraries === true ? await sharedLibraries(root) : [])])
    await copyFile(file, join(ready, basename(file)));
  return ready;
}

/** By the names under which programs ask for them, such as `liblzf.so.1`. */
async function sharedLibraries(root: string): Promise<string[]> {
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => !file.isDirectory() && /\.so(\.\d+)*$/.test(file.name))
    .map((file) => join(file.parentPath, file.name));
}

/** A non-empty folder at the target says that another process was faster; its files are as good as ours. */
async function moveInPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

async function aptConfig(work: string): Promise<string> {
  for (const folder of ['lists/partial', 'archives/partial', 'state'])
    await mkdir(join(work, folder), { recursive: true });
  // As root, apt would hand downloads to the user _apt, who may not write here. The hooks that distributions and container
  // images add after an update concern the system's own lists and caches.
  return `
Dir::State "${work}/state";
Dir::State::Lists "${work}/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${work}";
Dir::Cache::Archives "${work}/archives";
Debug::NoLocking "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
`;
}

async function runApt(
  args: string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ failed: boolean; output: string }> {
  try {
    const result = await execa('apt-get', ['-q', ...args], {
      cwd,
      all: true,
      timeout: STEP_TIMEOUT_MS,
      env: { ...env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
      extendEnv: false,
      stdin: 'ignore',
    });
    return { failed: false, output: result.all };
  } catch (error) {
    const all: unknown = error instanceof ExecaError ? error.all : undefined;
    return { failed: true, output: typeof all === 'string' && all !== '' ? all : String(error) };
  }
}

/** apt's complaints, not its progress. */
function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const complaints = lines.filter((line) => /^(E|W|Err)[: ]/.test(line));
  return (complaints.length > 0 ? complaints : lines).slice(-4).join('\n');
}

/** What installations that were killed have left behind. */
async function removeStaleWork(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const path = join(cacheDir, name);
    const info = await stat(path).catch(() => null);
    if (info && Date.now() - info.mtimeMs > STALE_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}
