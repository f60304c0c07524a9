/**
 * Programs that tests check what lies in deploy/ with, in this order: the PATH, etcron's cache, Debian's package (unpacked into
 * the cache, without root). Only the last one needs the network, and only once.
 */
import { access, rm } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { execa } from 'execa';
import { etcdCacheDir } from '../../src/etcd/embedded/find-etcd.js';
import { installWithApt } from '../../src/etcd/embedded/install-with-apt.js';

interface DebianPrograms {
  /** Of the folder in the cache. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Paths inside the packages; each says its `--version`. */
  readonly programs: readonly string[];
}

export interface FoundPrograms {
  readonly folder: string;
  /** What they need in their environment. */
  readonly env: NodeJS.ProcessEnv;
}

const VERSION_TIMEOUT_MS = 60_000;

/** Rejects with apt's own words when there is none and none can be had. */
async function find({ name, packages, programs }: DebianPrograms): Promise<FoundPrograms> {
  const { env } = process;
  const cacheDir = etcdCacheDir(env);
  const installed = join(cacheDir, `${name}-${process.arch}`);
  const names = programs.map((path) => basename(path));
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean))
    if (await allRun(folder, names, env)) return { folder, env };
  const own = { ...env, LD_LIBRARY_PATH: installed };
  if (await allRun(installed, names, own)) return { folder: installed, env: own };
  // A copy that does not run would be in the way.
  await rm(installed, { recursive: true, force: true });
  await installWithApt({
    ...{ packages, keep: { programs }, into: installed, libraries: true, cacheDir, env },
    onProgress: (line) => console.error(line),
  });
  if (!(await allRun(installed, names, own)))
    throw new Error(`what was downloaded does not run: ${installed}`);
  return { folder: installed, env: own };
}

async function allRun(folder: string, names: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    for (const name of names) {
      await access(join(folder, name));
      await execa(join(folder, name), ['--version'], { env, timeout: VERSION_TIMEOUT_MS, stdin: 'ignore' });
    }
    return true;
  } catch {
    return false;
  }
}

/** `prometheus` and `promtool`. */
export function findPrometheus(): Promise<FoundPrograms> {
  return find({
    name: 'prometheus',
    packages: ['prometheus'],
    programs: ['usr/bin/prometheus', 'usr/bin/promtool'],
  });
}

/** `systemd-analyze`; it needs no running systemd for what tests ask of it. */
export function findSystemdAnalyze(): Promise<FoundPrograms> {
  return find({
    name: 'systemd',
    packages: ['systemd', 'libsystemd-shared'],
    programs: ['usr/bin/systemd-analyze'],
  });
}
