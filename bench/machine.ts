/** On what the figures were measured. */
import { readFile, realpath } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { packageVersion } from '../src/version.js';

export interface Machine {
  readonly node: string;
  readonly etcd: string;
  readonly etcron: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Of the folder that holds etcd's data. */
  readonly disk: string;
  /** Of the last minute, when the benchmark began: work of others, if it is not near 0. */
  readonly loadAtStart: number;
  readonly startedAt: string;
}

export async function describeMachine(etcdVersion: string, dataDir: string): Promise<Machine> {
  return {
    node: process.versions.node,
    etcd: etcdVersion,
    etcron: packageVersion(),
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    disk: await fileSystemOf(dataDir),
    loadAtStart: loadavg()[0]!,
    startedAt: new Date().toISOString(),
  };
}

/** The type of the file system, from the mount that is nearest to the folder. */
async function fileSystemOf(folder: string): Promise<string> {
  const path = await realpath(folder);
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  let best = { point: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, encoded, type] = line.split(' ');
    if (encoded === undefined || type === undefined) continue;
    const point = encoded.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    // Of two mounts on one point the later one is visible.
    if (holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}
