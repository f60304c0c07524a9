/**
 * Which Redis server the peer uses, in this order: the PATH, etcron's cache, Debian's package (unpacked into the cache,
 * without root). Only the last one needs the network, and only once.
 */
import { rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { messageOf } from '../../src/errors.js';
import { etcdCacheDir } from '../../src/etcd/embedded/find-etcd.js';
import { hasApt, installWithApt } from '../../src/etcd/embedded/install-with-apt.js';

export interface RedisBinary {
  /** Absolute path of the server program. */
  readonly path: string;
  /** For example `7.0.15`. */
  readonly version: string;
  /** What the program needs in its environment. */
  readonly env: NodeJS.ProcessEnv;
}

export interface FindRedisOptions {
  /** Default: `process.env`. Read: PATH, ETCRON_CACHE_DIR, XDG_CACHE_HOME. */
  readonly env?: NodeJS.ProcessEnv;
  readonly onProgress?: (line: string) => void;
  /** False never touches the network. Default true. */
  readonly install?: boolean;
}

/** The server itself is in redis-tools; the libraries are those that a small system does not have. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'];
const VERSION_TIMEOUT_MS = 20_000;

/** Throws an Error that says what was tried when there is none and none can be had. */
export async function findRedis(options: FindRedisOptions = {}): Promise<RedisBinary> {
  const { env = process.env, onProgress = () => undefined } = options;
  const cacheDir = etcdCacheDir(env);
  const installed = join(cacheDir, `redis-${process.arch}`);
  const tried: string[] = [];
  const onPath = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...onPath, installed]) {
    const found = await probe(folder, env, folder === installed);
    if ('version' in found) return found;
    if (found.problem !== null) tried.push(found.problem);
  }
  tried.push(`no usable redis-server on the PATH or in ${cacheDir}`);
  if (options.install === false) throw new Error(tried.join('; '));
  if (!(await hasApt(env))) throw new Error(`${tried.join('; ')}; there is no apt-get to get it with`);

  onProgress(`No Redis is installed. Getting it with apt into ${cacheDir}, once; the system is not changed.`);
  try {
    // A copy that does not run would be in the way.
    await rm(installed, { recursive: true, force: true });
    await installWithApt({
      packages: PACKAGES,
      keep: { programs: ['usr/bin/redis-server'] },
      libraries: true,
      into: installed,
      cacheDir,
      env,
      onProgress,
    });
  } catch (error) {
    throw new Error(`${tried.join('; ')}; apt-get could not download it: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const found = await probe(installed, env, true);
  if ('version' in found) return found;
  throw new Error(`${tried.join('; ')}; ${found.problem ?? 'the downloaded packages hold no redis-server'}`);
}

/** A null problem: there is no such program in the folder. */
async function probe(
  folder: string,
  env: NodeJS.ProcessEnv,
  ownLibraries: boolean,
): Promise<RedisBinary | { problem: string | null }> {
  const path = join(folder, 'redis-server');
  const own = ownLibraries ? { ...env, LD_LIBRARY_PATH: folder } : env;
  try {
    const options = { env: own, extendEnv: false, timeout: VERSION_TIMEOUT_MS, stdin: 'ignore' } as const;
    const { stdout } = await execa(path, ['--version'], options);
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    return version === undefined
      ? { problem: `${path} does not say that it is Redis when asked for its --version` }
      : { path, version, env: own };
  } catch (error) {
    if (error instanceof ExecaError && error.code === 'ENOENT') return { problem: null };
    const reason = error instanceof ExecaError ? error.shortMessage : messageOf(error);
    return { problem: `${path} cannot be run: ${reason}` };
  }
}
