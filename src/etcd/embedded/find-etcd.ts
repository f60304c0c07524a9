/**
 * Which etcd to run, in this order: `ETCD_BIN`, the PATH, etcron's cache, the system's package manager (unpacked into
 * the cache, without root). Only the last one needs the network, and only once.
 */
import { constants } from 'node:fs';
import { access, realpath, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { execa, ExecaError } from 'execa';
import { EtcronError, messageOf } from '../../errors.js';
import { etcdEnvironment } from './etcd-process.js';
import { hasApt, installWithApt } from './install-with-apt.js';

export interface EtcdBinary {
  /** Absolute path. */
  readonly etcd: string;
  /** Absolute path; absent when none lies beside the server or on the PATH. */
  readonly etcdctl?: string;
  /** Of the server, for example `3.5.16`. */
  readonly version: string;
}

export interface FindEtcdOptions {
  /** Default: `process.env`. Read: ETCD_BIN, PATH, ETCRON_CACHE_DIR, XDG_CACHE_HOME. */
  env?: NodeJS.ProcessEnv;
  /** Gets lines for a person while something is downloaded. */
  onProgress?: (line: string) => void;
  /** False never touches the network. Default true. */
  install?: boolean;
}

const VERSION_TIMEOUT_MS = 20_000;
/** The first version that has what etcron and its flags rely on. */
const MINIMUM_VERSION: readonly [number, number] = [3, 4];

/** Rejects with `ETCRON_ETCD_BINARY` when there is none and none can be had. */
export async function findEtcd(options: FindEtcdOptions = {}): Promise<EtcdBinary> {
  const env = options.env ?? process.env;
  const cacheDir = etcdCacheDir(env);
  const installed = join(cacheDir, `etcd-${process.arch}`);

  if (env.ETCD_BIN) {
    const path = resolve(env.ETCD_BIN);
    const found = await probe(path, env);
    if ('problem' in found) {
      throw new EtcronError('ETCRON_ETCD_BINARY', `ETCD_BIN names ${path}, which ${found.problem}`, {
        hint: 'Set ETCD_BIN to the path of an etcd server program, or unset it to let etcron look for one.',
        details: { path },
      });
    }
    return found;
  }

  const tried: string[] = [];
  for (const folder of [...pathFolders(env), installed]) {
    const path = join(folder, 'etcd');
    if (!(await isExecutable(path))) continue;
    const found = await probe(path, env);
    if (!('problem' in found)) return found;
    tried.push(`${path} ${found.problem}`);
    // A copy of ours that does not run would be in the way of a new one.
    if (folder === installed) await rm(installed, { recursive: true, force: true });
  }
  tried.push(`no usable etcd on the PATH or in ${cacheDir}`);

  if (options.install === false) {
    tried.push('installing was not asked for');
  } else if (!(await hasApt(env))) {
    tried.push('there is no apt-get on this system to get it with');
  } else {
    try {
      return await install(installed, cacheDir, env, options.onProgress ?? (() => undefined));
    } catch (error) {
      tried.push(`apt-get could not download it: ${messageOf(error)}`);
    }
  }
  throw new EtcronError('ETCRON_ETCD_BINARY', `no etcd server program was found: ${tried.join('; ')}`, {
    hint: 'Install etcd (https://etcd.io/docs/latest/install/), or set ETCD_BIN to the path of an etcd program.',
    details: { tried },
  });
}

/** Where a downloaded etcd is kept: `$ETCRON_CACHE_DIR`, else `$XDG_CACHE_HOME/etcron`, else `~/.cache/etcron`. */
export function etcdCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.ETCRON_CACHE_DIR) return resolve(env.ETCRON_CACHE_DIR);
  return join(env.XDG_CACHE_HOME ? resolve(env.XDG_CACHE_HOME) : join(homedir(), '.cache'), 'etcron');
}

async function install(
  into: string,
  cacheDir: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<EtcdBinary> {
  onProgress(`No etcd is installed. Getting it with apt into ${cacheDir}, once; the system is not changed.`);
  await installWithApt({
    packages: ['etcd-server', 'etcd-client'],
    keep: { programs: ['usr/bin/etcd', 'usr/bin/etcdctl'] },
    into,
    cacheDir,
    env,
    onProgress,
  });
  const found = await probe(join(into, 'etcd'), env);
  if ('problem' in found) throw new Error(`${join(into, 'etcd')} ${found.problem}`);
  onProgress(`Got etcd ${found.version}.`);
  return found;
}

/** Runs the program for its version, and looks for its etcdctl. */
async function probe(etcd: string, env: NodeJS.ProcessEnv): Promise<EtcdBinary | { problem: string }> {
  let output: string;
  try {
    const result = await execa(etcd, ['--version'], {
      env: etcdEnvironment(env),
      extendEnv: false,
      timeout: VERSION_TIMEOUT_MS,
      stdin: 'ignore',
    });
    output = result.stdout;
  } catch (error) {
    return {
      problem: `cannot be run: ${error instanceof ExecaError ? error.shortMessage : messageOf(error)}`,
    };
  }
  const version = /^etcd Version: (\d+)\.(\d+)\.(\S+)/m.exec(output);
  if (!version) return { problem: 'does not say that it is etcd when asked for its --version' };
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < MINIMUM_VERSION[0] || (major === MINIMUM_VERSION[0] && minor < MINIMUM_VERSION[1])) {
    return { problem: `is version ${major}.${minor}, older than ${MINIMUM_VERSION.join('.')}` };
  }
  const etcdctl = await findEtcdctl(etcd, env);
  return {
    etcd,
    ...(etcdctl === undefined ? {} : { etcdctl }),
    version: `${major}.${minor}.${version[3]}`,
  };
}

async function findEtcdctl(etcd: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const folders = [
    dirname(etcd),
    dirname(await realpath(etcd)),
    ...pathFolders(env),
    join(etcdCacheDir(env), `etcd-${process.arch}`),
  ];
  for (const folder of folders) {
    if (await isExecutable(join(folder, 'etcdctl'))) return join(folder, 'etcdctl');
  }
  return undefined;
}

function pathFolders(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
