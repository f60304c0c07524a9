/**
 * 100,000 definitions, of which only a few are due soon: what a new leader needs until it plans, what the workers take while
 * nothing is to be done, and how soon a change takes effect.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../src/random.js';
import { prefixRange, singleKey } from '../../src/etcd/store.js';
import { account } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { distantSchedules } from '../distant-schedules.js';
import { residentMiB } from '../memory.js';
import { WATCH_MEASURES, watchLimits } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Figures, type Scenario, type ScenarioContext } from '../scenario.js';
import { onlyAt } from '../schedules.js';
import { median, spread } from '../statistics.js';
import { processTimes } from '../usage.js';
import { watchFor } from '../watch-for.js';

const JOBS = 100_000;
const BUSY_JOBS = 5;
const KILLS = 3;
const REST_MS = 60_000;
/** Of V8: what was loaded and planned is collected, and compiled. */
const SETTLE_MS = 10_000;
/** From the last start of a worker until it is at rest: it enrols all jobs, and looks for those that nobody can run. */
const REST_AFTER_MS = 30_000;
const CHANGES = 50;
const BETWEEN_CHANGES_MS = 150;
/** From a change to the due time that it makes. */
const CHANGE_NOTICE_MS = 6_000;
/** A watch is open before the clock runs. */
const WATCH_OPEN_MS = 50;
const PLANNED_WITHIN_MS = 60_000;
const LAST_RECORD_WITHIN_MS = 30_000;

export const manyJobs: Scenario = {
  name: 'many-jobs',
  title: `${JOBS.toLocaleString('en')} definitions (daily and monthly, 10 time zones), ${BUSY_JOBS} more every second, ${WORKERS} workers`,
  measures: [
    { key: 'putMs', label: 'all definitions put, 100 in a transaction', unit: 'ms', digits: 0 },
    { key: 'loadedMs', label: 'all put → all planned', unit: 'ms', digits: 0 },
    {
      key: 'takeoverMs',
      label: `leader killed ${KILLS} times: → another one leads, median`,
      unit: 'ms',
      digits: 0,
    },
    { key: 'replanMs', label: 'it leads → it plans, median', unit: 'ms', digits: 0 },
    { key: 'replanMaxMs', label: 'it leads → it plans, max', unit: 'ms', digits: 0 },
    {
      key: 'restCpuPercent',
      label: `at rest for ${REST_MS / 1000} s: CPU of the busiest worker, of a core`,
      unit: '%',
      digits: 2,
    },
    { key: 'restMiB', label: 'at rest: memory of the largest worker (RSS)', unit: 'MiB', digits: 0 },
    ...spreadMeasures('change', `one job changed, ${CHANGES} times: put → planned`, 1),
    { key: 'changeOverWatchP99', label: 'that ÷ put → watch event, p99', unit: '×', digits: 2 },
  ],
  rawMeasures: WATCH_MEASURES,
  targets: [
    { measure: 'replanMaxMs', atMost: 1_000 },
    { measure: 'restCpuPercent', atMost: 2 },
    { measure: 'restMiB', atMost: 400 },
    { measure: 'changeP99Ms', atMost: 50 },
  ],

  async run(context) {
    const raw = watchLimits(await context.rawLimits(WORKERS));
    const cluster = await BenchCluster.start(context, '/many-jobs', { kind: 'handler' });
    try {
      const startMs = performance.now();
      const random = createRandom('many-jobs');
      const names = await putDistantJobs(cluster, random);
      const putMs = performance.now() - startMs;
      await cluster.putJobs(BUSY_JOBS, '* * * * * *', {}, 'busy', JOBS);
      const loadedMs = await cluster.plannedThrough(Date.now());
      if (loadedMs === null) throw new Error('the definitions were not planned in time');
      await sleep(SETTLE_MS);
      const takeovers = await killLeaders(context, cluster);
      await cluster.deleteJobs('busy-');
      await sleep(REST_AFTER_MS);
      const rest = await atRest(cluster);
      const changed = await changeJobs(cluster, names, random);
      for (const line of cluster.complaints()) context.say(line);
      const change = spread('change', changed.delaysMs);
      const figures = {
        ...{ putMs, loadedMs },
        ...takeovers,
        ...rest,
        ...change,
        changeOverWatchP99: change.changeP99Ms! / raw.watchP99Ms!,
      };
      return { figures, problems: changed.problems, raw };
    } finally {
      await cluster.stop();
    }
  },
};

/** None is due within the next hour. */
export async function putDistantJobs(
  cluster: BenchCluster,
  random: ReturnType<typeof createRandom>,
  count = JOBS,
): Promise<string[]> {
  const schedules = distantSchedules(Date.now(), count, random);
  const jobs = schedules.map(
    (fields, index) => [`many-${String(index).padStart(6, '0')}`, { ...fields }] as const,
  );
  await cluster.putDefinitions(jobs);
  return jobs.map(([name]) => name);
}

/**
 * From the new leader's key to the first firing that it plans. Something to be planned is put into etcd as soon as it leads,
 * since what there is otherwise may have been planned just before.
 */
async function killLeaders(context: ScenarioContext, cluster: BenchCluster): Promise<Figures> {
  const { store, keys } = cluster;
  const takeovers: number[] = [];
  const plans: number[] = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const leader = await cluster.leader();
    if (leader === null) throw new Error('nobody leads');
    const fromRevision = (await cluster.revision()) + 1;
    const killedMs = performance.now();
    cluster.kill(leader);
    const led = await watchFor(store, singleKey(keys.leader), fromRevision, PLANNED_WITHIN_MS);
    if (led.event?.type !== 'put') throw new Error('nobody took the lead in time');
    const probe = `probe-${JOBS + BUSY_JOBS + kill}`;
    const planned = watchFor(
      store,
      prefixRange(keys.firings),
      led.event.kv.modRevision + 1,
      PLANNED_WITHIN_MS,
      (event) => event.type === 'put' && event.kv.version === 1,
    );
    await cluster.putDefinitions([[probe, { schedule: onlyAt(new Date(Date.now() + CHANGE_NOTICE_MS)) }]]);
    takeovers.push(led.atMs - killedMs);
    plans.push((await planned).atMs - led.atMs);
    context.say(
      `leader killed: another one led after ${takeovers.at(-1)!.toFixed(0)} ms, and planned ${plans.at(-1)!.toFixed(0)} ms later`,
    );
    await cluster.complete();
    await sleep(SETTLE_MS);
  }
  return { takeoverMs: median(takeovers), replanMs: median(plans), replanMaxMs: Math.max(...plans) };
}

async function atRest(cluster: BenchCluster): Promise<Figures> {
  const read = async (): Promise<number[]> =>
    (await Promise.all(cluster.pids.map(processTimes))).map((times) => times?.ownMs ?? NaN);
  const fromMs = performance.now();
  const before = await read();
  await sleep(REST_MS);
  const after = await read();
  const tookMs = performance.now() - fromMs;
  return {
    restCpuPercent: Math.max(...after.map((ms, index) => ((ms - before[index]!) / tookMs) * 100)),
    restMiB: Math.max(...(await Promise.all(cluster.pids.map(residentMiB)))),
  };
}

/** Changes one job after another, each to a due time that is soon. */
async function changeJobs(
  cluster: BenchCluster,
  names: readonly string[],
  random: ReturnType<typeof createRandom>,
): Promise<{ delaysMs: number[]; problems: string[] }> {
  const { store, keys } = cluster;
  const startRevision = await cluster.revision();
  const delaysMs: number[] = [];
  const problems: string[] = [];
  const dues = new Map<string, number>();
  while (dues.size < CHANGES) {
    const name = random.pick(names);
    if (dues.has(name)) continue;
    const dueMs = Math.ceil((Date.now() + CHANGE_NOTICE_MS) / 1000) * 1000;
    dues.set(name, dueMs);
    const planned = watchFor(
      store,
      prefixRange(`${keys.firings}${name}/`),
      (await cluster.revision()) + 1,
      PLANNED_WITHIN_MS,
    );
    await sleep(WATCH_OPEN_MS);
    const putMs = performance.now();
    await cluster.putDefinitions([[name, { schedule: onlyAt(new Date(dueMs)) }]]);
    delaysMs.push((await planned).atMs - putMs);
    await sleep(BETWEEN_CHANGES_MS + random.next() * BETWEEN_CHANGES_MS);
  }
  for (const dueMs of new Set(dues.values())) {
    const jobs = [...dues].filter(([, at]) => at === dueMs).map(([name]) => name);
    const judged = await account(cluster, startRevision, jobs, [dueMs], LAST_RECORD_WITHIN_MS);
    problems.push(...judged.problems);
  }
  return { delaysMs, problems };
}
