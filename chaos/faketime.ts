/**
 * A wrong wall clock for one process: libfaketime, preloaded, answers for the C library's clock. The offset stands in a
 * file that is read at every look at the clock, so it can jump while the process runs.
 *
 * Only the wall clock is wrong. The monotonic clock stays true, and with it timers, `performance.now()`, and whatever waits in
 * the kernel. A process that is started with a copy of the environment has the same wrong clock. The processes that a worker
 * starts get environments of their own, without the library (see src/run/child-environment.ts and the watchdog's
 * sidecar): the watchdog and the commands of jobs see the true time.
 */
import { constants } from 'node:fs';
import { access, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../src/errors.js';
import { etcdCacheDir } from '../src/etcd/embedded/find-etcd.js';
import { hasApt, installWithApt } from '../src/etcd/embedded/install-with-apt.js';

const PACKAGE = 'libfaketime';
/** The variant for programs with several threads. */
const LIBRARY = 'libfaketimeMT.so.1';

/** GNU's names, which Debian's folders carry. */
const MULTIARCH: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  ppc64: 'powerpc64le-linux-gnu',
  s390x: 's390x-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
};

export interface MovableClock {
  /** Added to the environment of the process whose clock it is. */
  readonly env: Readonly<Record<string, string>>;
  /** How far the clock is ahead of the true one. */
  readonly offsetMs: number;
  /** Lets the clock jump: when this resolves, each new look at it shows the new time. 0 is the true time. */
  set(offsetMs: number): Promise<void>;
}

/**
 * A clock that can be moved while processes run by it. Its file `name` in `folder` has to stay as long as they do. Gets
 * libfaketime when it is not there yet.
 */
export async function movableClock(
  folder: string,
  name: string,
  options: FindFaketimeOptions & { offsetMs?: number } = {},
): Promise<MovableClock> {
  const library = await findFaketime(options);
  const file = join(folder, `${name}.clock`);
  let current = 0;
  const set = async (offsetMs: number): Promise<void> => {
    // Nobody may read half an offset.
    await writeFile(`${file}.new`, `${offsetMs < 0 ? '-' : '+'}${(Math.abs(offsetMs) / 1000).toFixed(3)}s\n`);
    await rename(`${file}.new`, file);
    current = offsetMs;
  };
  await set(options.offsetMs ?? 0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    get offsetMs() {
      return current;
    },
    set,
  };
}

export interface FindFaketimeOptions {
  /** Default: `process.env`. Read: ETCRON_CACHE_DIR, XDG_CACHE_HOME. */
  env?: NodeJS.ProcessEnv;
  /** Gets lines for a person while something is downloaded. */
  onProgress?: (line: string) => void;
}

/**
 * Absolute path of the library: the system's, else the one in etcron's cache, else, once, from the system's package manager
 * into the cache, without root. Rejects where there is none to be had.
 */
export async function findFaketime({
  env = process.env,
  onProgress = () => undefined,
}: FindFaketimeOptions = {}): Promise<string> {
  const multiarch = MULTIARCH[process.arch];
  if (process.platform !== 'linux' || multiarch === undefined) {
    throw new Error(`a wrong clock needs libfaketime, which ${process.platform} on ${process.arch} lacks`);
  }
  const inPackage = join('usr/lib', multiarch, 'faketime', LIBRARY);
  const cacheDir = etcdCacheDir(env);
  const into = join(cacheDir, `${PACKAGE}-${process.arch}`);
  const cached = join(into, LIBRARY);
  for (const path of [join('/', inPackage), cached]) if (await isReadable(path)) return path;

  const advice = `install the package ${PACKAGE}`;
  if (!(await hasApt(env))) throw new Error(`libfaketime is not here, nor apt-get to get it with: ${advice}`);
  onProgress(`Getting ${PACKAGE} with apt into ${cacheDir}, once; the system is not changed.`);
  try {
    await installWithApt({
      packages: [PACKAGE],
      keep: { programs: [inPackage] },
      into,
      cacheDir,
      env,
      onProgress,
    });
  } catch (error) {
    throw new Error(`libfaketime could not be downloaded (${messageOf(error)}): ${advice}`, { cause: error });
  }
  return cached;
}

function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
