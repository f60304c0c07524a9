/**
 * A real etcd as a child process, for `etcron dev`, demonstrations and tests: one member on free loopback ports, with
 * fsync on, like in production. It lives exactly as long as its owner wants: it stops with `stop()`, it dies when this
 * process is killed, and the terminal's Ctrl-C does not reach it before the owner has drained.
 *
 * Starts on an existing data folder continue with its data, on new ports: a single member never dials its own peer
 * address, so the one that etcd remembers from the first start does not matter, and the client address is announced
 * anew at each start.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { systemClock, type Clock } from '../../clock.js';
import { EtcronError, messageOf } from '../../errors.js';
import { lockDataDir } from './data-dir-lock.js';
import { spawnEtcd, waitUntilHealthy, type EtcdExit, type EtcdProcess } from './etcd-process.js';
import { findEtcd, type EtcdBinary } from './find-etcd.js';
import { freePorts } from './free-port.js';

export interface EmbeddedEtcdOptions {
  /** Kept at the end, created when missing. Default: a temporary folder that is deleted. */
  dataDir?: string;
  /** Default: `findEtcd()`, which may download one. */
  binary?: EtcdBinary;
  log: Pick<Logger, 'debug' | 'info'>;
  clock?: Clock;
  /** How long a start may take, with recovery of the data on a slow disk. */
  startDeadlineMs?: number;
  /** More flags for the server; they win over those that it is given here. */
  flags?: readonly string[];
}

export interface EmbeddedEtcd {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly pid: number;
  readonly version: string;
  readonly dataDir: string;
  /** The end of the process, wanted or not; never rejects. */
  readonly exited: Promise<EtcdExit>;
  /** etcd's last lines of output, oldest first. */
  lastLines(): readonly string[];
  /** SIGTERM, SIGKILL after a grace, then temporary data is deleted. Idempotent, never rejects. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;
const STOP_GRACE_MS = 10_000;
const PORT_ATTEMPTS = 5;
/**
 * How many revisions stay readable. Old ones are dropped every five minutes; nothing in etcron reads back further than
 * a reconnecting watch, and that one recovers from compaction.
 */
const KEPT_REVISIONS = 10_000;

/**
 * Starts etcd and waits until it answers. Rejects with `ETCRON_ETCD_BINARY` when there is none to start, and with
 * `ETCRON_ETCD_START` when it does not become healthy or the data folder is in use; nothing is left behind then.
 */
export async function startEmbeddedEtcd(options: EmbeddedEtcdOptions): Promise<EmbeddedEtcd> {
  const binary = options.binary ?? (await findEtcd());
  const temporary = options.dataDir === undefined;
  const root =
    options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'etcron-')) : resolve(options.dataDir);
  const release = await claimDataDir(root);
  const cleanUp = async (): Promise<void> => {
    if (temporary) await rm(root, { recursive: true, force: true });
    else await release();
  };

  try {
    const { etcd, endpoint } = await startOnFreePorts(binary, root, temporary, options);
    options.log.info({ endpoint, pid: etcd.pid, version: binary.version, dataDir: root }, 'etcd is running');
    let stopping: Promise<void> | undefined;
    return {
      endpoint,
      pid: etcd.pid,
      version: binary.version,
      dataDir: root,
      exited: etcd.exited,
      lastLines: () => etcd.lastLines(),
      stop: () =>
        (stopping ??= etcd
          .stop(STOP_GRACE_MS)
          .then(cleanUp)
          .catch(() => undefined)),
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function claimDataDir(root: string): Promise<() => Promise<void>> {
  let attempt;
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    attempt = await lockDataDir(join(root, 'etcron.lock'));
  } catch (error) {
    throw new EtcronError(
      'ETCRON_ETCD_START',
      `the data folder ${root} cannot be used: ${messageOf(error)}`,
      {
        hint: 'Name a folder in which you may write.',
        details: { dataDir: root },
        cause: error,
      },
    );
  }
  if (attempt.acquired) return attempt.release;
  throw new EtcronError(
    'ETCRON_ETCD_START',
    `the data folder ${root} is in use by process ${attempt.ownerPid}`,
    {
      hint: 'Stop that process, or use another data folder.',
      details: { dataDir: root, pid: attempt.ownerPid },
    },
  );
}

async function startOnFreePorts(
  binary: EtcdBinary,
  root: string,
  temporary: boolean,
  options: EmbeddedEtcdOptions,
): Promise<{ etcd: EtcdProcess; endpoint: string }> {
  const clock = options.clock ?? systemClock;
  for (let attempt = 1; ; attempt += 1) {
    const [clientPort, peerPort] = await freePorts(2);
    const endpoint = `http://127.0.0.1:${clientPort}`;
    const args = [
      ...serverFlags(join(root, 'etcd'), endpoint, `http://127.0.0.1:${peerPort}`),
      ...(options.flags ?? []),
    ];
    let etcd: EtcdProcess;
    try {
      etcd = await spawnEtcd(binary.etcd, args, {
        clock,
        onLine: (line) => options.log.debug({ etcd: line }, 'etcd'),
        ...(temporary ? { removeWhenOrphaned: root } : {}),
      });
    } catch (error) {
      throw startError(binary, messageOf(error), []);
    }
    const problem = await waitUntilHealthy(etcd, endpoint, {
      clock,
      deadlineMs: options.startDeadlineMs ?? START_DEADLINE_MS,
    });
    if (problem === null) return { etcd, endpoint };
    await etcd.stop(STOP_GRACE_MS);
    // Somebody took a port between the look and the start.
    const clash = etcd.lastLines().some((line) => line.includes('address already in use'));
    if (!clash || attempt === PORT_ATTEMPTS) throw startError(binary, problem, etcd.lastLines());
  }
}

function serverFlags(dataDir: string, clientUrl: string, peerUrl: string): string[] {
  return [
    ...['--name', 'etcron', '--data-dir', dataDir],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `etcron=${peerUrl}`],
    ...['--auto-compaction-mode', 'revision', '--auto-compaction-retention', String(KEPT_REVISIONS)],
    // The old log format of 3.4 is deprecated; zap is the only one from 3.5 on.
    ...['--logger', 'zap', '--log-outputs', 'stderr'],
  ];
}

function startError(binary: EtcdBinary, problem: string, lines: readonly string[]): EtcronError {
  const tail = lines.slice(-8);
  const output = tail.length === 0 ? '' : `\nIts last words:\n${tail.map((line) => `  ${line}`).join('\n')}`;
  return new EtcronError('ETCRON_ETCD_START', `etcd (${binary.etcd}) did not start: ${problem}${output}`, {
    hint: 'Check that the data folder is from the same or an older etcd version, and that the disk has room.',
    details: { binary: binary.etcd, lastLines: lines },
  });
}
