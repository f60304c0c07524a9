/**
 * Whether a command that writes as fast as it can harms the others: the lateness of small jobs and the memory of workers and
 * launchers, first without and then beside commands that write 100 MB each, in the same run.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeRun } from '../../src/history/run-record.js';
import { prefixRange } from '../../src/etcd/store.js';
import { account, latenessesMs } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { residentMiB } from '../memory.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { percentile, spread } from '../statistics.js';

const JOBS = 30;
const SECONDS = 15;
const FLOOD_BYTES = 100_000_000;
/** From the moment at which all jobs are planned. */
const WARM_UP_MS = 5_000;
const SAMPLE_MS = 50;
const LAST_RECORD_WITHIN_MS = 60_000;

export const outputFlood: Scenario = {
  name: 'output-flood',
  title: `${JOBS} jobs every second for ${SECONDS} s, /bin/true, 3 workers; then the same beside ${WORKERS} commands every 3 s that write 100 MB each as fast as they can`,
  measures: [
    ...spreadMeasures('quiet', 'lateness without the flood'),
    ...spreadMeasures('flood', 'lateness beside the flood'),
    { key: 'addedP99Ms', label: 'what the flood adds, p99', unit: 'ms', digits: 0 },
    { key: 'floodMiBps', label: 'output that a command got rid of', unit: 'MiB/s', digits: 0 },
    { key: 'floods', label: 'commands that wrote 100 MB, all of it read', unit: '', digits: 0 },
    {
      key: 'quietWorkerMiB',
      label: 'memory of the largest worker (RSS), without the flood',
      unit: 'MiB',
      digits: 0,
    },
    { key: 'floodWorkerMiB', label: 'the same beside the flood, at its highest', unit: 'MiB', digits: 0 },
    {
      key: 'quietLauncherMiB',
      label: 'memory of the largest launcher (RSS), without the flood',
      unit: 'MiB',
      digits: 0,
    },
    { key: 'floodLauncherMiB', label: 'the same beside the flood, at its highest', unit: 'MiB', digits: 0 },
  ],
  targets: [
    { measure: 'addedP99Ms', atMost: 100 },
    { measure: 'floodLauncherMiB', atMost: 150 },
  ],

  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'etcron-flood-'));
    const cluster = await BenchCluster.start(context, '/output-flood', { flags: ['--output-dir', folder] });
    try {
      const fromRevision = await cluster.revision();
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      await cluster.allPlanned(jobs);
      const stretch = async () => {
        const firstDueMs = Math.ceil((Date.now() + WARM_UP_MS) / 1000) * 1000;
        await sleep(firstDueMs - 1_000 - Date.now());
        const memory = await highestUntil(cluster.pids, firstDueMs + (SECONDS - 1) * 1000);
        const dues = Array.from({ length: SECONDS }, (_, second) => firstDueMs + second * 1000);
        const { records, problems } = await account(cluster, fromRevision, jobs, dues, LAST_RECORD_WITHIN_MS);
        return { memory, problems, latenesses: latenessesMs(records) };
      };
      const quiet = await stretch();
      const command = `head -c ${FLOOD_BYTES} /dev/zero`;
      const flooding = Array.from({ length: WORKERS }, (_, index) => {
        return [`flood-${index}`, { schedule: '*/3 * * * * *', command, overlap: 'skip' }] as const;
      });
      await cluster.putDefinitions(flooding);
      const flood = await stretch();
      await cluster.deleteJobs('flood-');
      const { seconds, problems } = await floodsOf(cluster);
      const complaints = cluster.complaints();
      await cluster.stop();
      for (const line of complaints) context.say(line);
      const lateness = { ...spread('quiet', quiet.latenesses), ...spread('flood', flood.latenesses) };
      const figures = {
        ...lateness,
        addedP99Ms: lateness.floodP99Ms! - lateness.quietP99Ms!,
        floodMiBps: FLOOD_BYTES / 2 ** 20 / percentile(seconds, 0.5),
        floods: seconds.length,
        quietWorkerMiB: quiet.memory.workerMiB,
        floodWorkerMiB: flood.memory.workerMiB,
        quietLauncherMiB: quiet.memory.launcherMiB,
        floodLauncherMiB: flood.memory.launcherMiB,
      };
      return { figures, problems: [...quiet.problems, ...flood.problems, ...problems] };
    } finally {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** How long each took, of those that ended by themselves; what is missing of one that did is a problem. */
async function floodsOf({ store, keys }: BenchCluster): Promise<{ seconds: number[]; problems: string[] }> {
  const { kvs } = await store.range(prefixRange(`${keys.runs}flood-`));
  const seconds: number[] = [];
  const problems: string[] = [];
  for (const kv of kvs) {
    const decoded = decodeRun(kv);
    if (!decoded.ok || decoded.value.outcome === 'skipped') continue;
    const { outcome, durationMs, stdout } = decoded.value;
    const bytes = stdout?.totalBytes ?? 0;
    if (outcome !== 'succeeded' || bytes !== FLOOD_BYTES)
      problems.push(`${kv.key.slice(keys.runs.length)}: ${outcome}, ${bytes} bytes`);
    else seconds.push((durationMs ?? NaN) / 1000);
  }
  return { seconds, problems };
}

/** The highest resident memory of a worker, and of a launcher, that is seen until then. */
async function highestUntil(
  pids: readonly number[],
  untilMs: number,
): Promise<{ workerMiB: number; launcherMiB: number }> {
  const highest = { workerMiB: 0, launcherMiB: 0 };
  const launchers = (await Promise.all(pids.map(launcherOf))).flatMap((pid) => (pid === null ? [] : [pid]));
  while (Date.now() < untilMs) {
    for (const [key, of] of [
      ['workerMiB', pids],
      ['launcherMiB', launchers],
    ] as const) {
      const now = await Promise.all(of.map(residentMiB));
      highest[key] = Math.max(highest[key], ...now.filter((one) => !Number.isNaN(one)));
    }
    await sleep(SAMPLE_MS);
  }
  return highest;
}

async function launcherOf(pid: number): Promise<number | null> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter(Boolean)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('/run/launcher/')) return Number(child);
  }
  return null;
}
