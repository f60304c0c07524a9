/** What a stretch of time cost: CPU of workers, of their commands and of etcd; etcd's proposals and fsyncs. */
import { readFile } from 'node:fs/promises';
import { residentMiB } from './memory.js';
import type { Figures, Measure } from './scenario.js';

/** Linux reports CPU times to programs in hundredths of a second, whatever the kernel's own tick is. */
const MS_PER_TICK = 10;

interface Snapshot {
  /** User and system time of the worker processes and their launchers themselves, and of their children that have ended. */
  readonly workersMs: number | null;
  readonly commandsMs: number | null;
  /** Of the whole machine, over all cores. */
  readonly busyMs: number | null;
  readonly totalMs: number | null;
  readonly ownMs: number;
  readonly largestMiB: number;
  readonly etcd: ReadonlyMap<string, number>;
}

export interface Usage {
  /** The figures of the time since `beginUsage`, divided by the number of firings in it. */
  figures(firings: number): Promise<Figures>;
}

export const USAGE_MEASURES: readonly Measure[] = [
  { key: 'workerCpuMs', label: 'CPU of the workers per firing', unit: 'ms', digits: 2 },
  { key: 'commandCpuMs', label: 'CPU of the commands per firing', unit: 'ms', digits: 2 },
  { key: 'etcdCpuMs', label: 'CPU of etcd per firing', unit: 'ms', digits: 2 },
  { key: 'workerMiB', label: 'memory of the largest worker (RSS)', unit: 'MiB', digits: 0 },
  { key: 'proposals', label: 'etcd proposals per firing', unit: '', digits: 3 },
  { key: 'databaseKiB', label: "growth of etcd's database per firing", unit: 'KiB', digits: 2 },
  { key: 'fsyncMs', label: 'etcd: mean WAL fsync', unit: 'ms', digits: 2 },
  { key: 'othersPercent', label: 'CPU taken by other work on this machine', unit: '%', digits: 0 },
];

/** Where no commands are run. */
export const HANDLER_USAGE_MEASURES: readonly Measure[] = USAGE_MEASURES.filter(
  ({ key }) => key !== 'commandCpuMs',
);

export async function beginUsage(endpoint: string, workerPids: readonly number[]): Promise<Usage> {
  const before = await snapshot(endpoint, workerPids);
  return {
    async figures(firings) {
      return difference(before, await snapshot(endpoint, workerPids), firings);
    },
  };
}

async function snapshot(endpoint: string, workerPids: readonly number[]): Promise<Snapshot> {
  const times = await Promise.all(workerPids.map(timesWithLauncher));
  const sum = (which: 'ownMs' | 'childrenMs'): number | null =>
    times.reduce<number | null>(
      (total, one) => (total === null || one === null ? null : total + one[which]),
      0,
    );
  const { user, system } = process.cpuUsage();
  return {
    workersMs: sum('ownMs'),
    commandsMs: sum('childrenMs'),
    ...(await machineTimes()),
    ownMs: (user + system) / 1000,
    largestMiB: Math.max(...(await Promise.all(workerPids.map(residentMiB)))),
    etcd: await etcdMetrics(endpoint),
  };
}

function difference(before: Snapshot, after: Snapshot, firings: number): Figures {
  const figures: Figures = {};
  const since = (key: 'workersMs' | 'commandsMs' | 'busyMs' | 'totalMs'): number =>
    (after[key] ?? NaN) - (before[key] ?? NaN);
  const metric = (name: string): number => (after.etcd.get(name) ?? NaN) - (before.etcd.get(name) ?? NaN);
  const etcdMs = metric('process_cpu_seconds_total') * 1000;
  const ours = since('workersMs') + since('commandsMs') + etcdMs + after.ownMs - before.ownMs;
  const fsync = 'etcd_disk_wal_fsync_duration_seconds';
  const all = {
    workerCpuMs: since('workersMs') / firings,
    commandCpuMs: since('commandsMs') / firings,
    etcdCpuMs: etcdMs / firings,
    workerMiB: after.largestMiB,
    proposals: metric('etcd_server_proposals_applied_total') / firings,
    databaseKiB: metric('etcd_mvcc_db_total_size_in_bytes') / 1024 / firings,
    fsyncMs: (metric(`${fsync}_sum`) / metric(`${fsync}_count`)) * 1000,
    othersPercent: (Math.max(0, since('busyMs') - ours) / since('totalMs')) * 100,
  };
  for (const [key, value] of Object.entries(all)) if (Number.isFinite(value)) figures[key] = value;
  return figures;
}

/** Null where there is no `/proc`, or no such process. */
export async function processTimes(pid: number): Promise<{ ownMs: number; childrenMs: number } | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The name in parentheses may hold anything; user time is the 14th field, and the third after it is the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map((ticks) => Number(ticks));
  return { ownMs: (user! + system!) * MS_PER_TICK, childrenMs: (childUser! + childSystem!) * MS_PER_TICK };
}

/** Of a worker and its launcher, whose children the commands are. */
async function timesWithLauncher(pid: number): Promise<{ ownMs: number; childrenMs: number } | null> {
  const times = await processTimes(pid);
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter(Boolean)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    const launcher = command.includes('/run/launcher/') ? await processTimes(Number(child)) : null;
    if (times === null || launcher === null) continue;
    times.ownMs += launcher.ownMs;
    times.childrenMs += launcher.childrenMs;
  }
  return times;
}

async function machineTimes(): Promise<{ busyMs: number | null; totalMs: number | null }> {
  const stat = await readFile('/proc/stat', 'utf8').catch(() => null);
  if (stat === null) return { busyMs: null, totalMs: null };
  // user nice system idle iowait irq softirq steal; what follows is contained in user and nice.
  const ticks = stat.split('\n', 1)[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, one) => sum + one, 0);
  return { totalMs: total * MS_PER_TICK, busyMs: (total - ticks[3]! - ticks[4]!) * MS_PER_TICK };
}

/** etcd's own counters, those without labels. */
async function etcdMetrics(endpoint: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(\w+) (\S+)$/.exec(line);
    if (match) found.set(match[1]!, Number(match[2]));
  }
  return found;
}
