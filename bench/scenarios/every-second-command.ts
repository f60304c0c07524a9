import { setTimeout as sleep } from 'node:timers/promises';
import { account, costsPerFiring, latenessesMs } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { comparePeer } from '../compare-peer.js';
import { profileTimeUs } from '../cpu-profile.js';
import { spreadMeasures, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { beginUsage, USAGE_MEASURES } from '../usage.js';

const JOBS = 100;
/** From the moment at which all jobs are planned. */
const WARM_UP_MS = 5_000;
const SECONDS = 20;
/** Half of the baseline is measured before and half after, since what else a machine does changes. */
const BASELINE_ROUNDS = 5;
const LAST_RECORD_WITHIN_MS = 30_000;

/** The steady state: how much later than its due time a process starts, beside what the machine itself takes for it. */
export const everySecondCommand: Scenario = {
  name: 'every-second-command',
  title: `${JOBS} jobs every second for ${SECONDS} s, /bin/true, 3 workers; raw limit: bare spawn of ${JOBS} at once from 3 Node processes`,
  measures: [
    ...spreadMeasures('lateness', 'lateness of the process start'),
    { key: 'plannedMs', label: `${JOBS} new jobs put → all of them planned`, unit: 'ms', digits: 0 },
    { key: 'overBareP50', label: 'lateness ÷ bare spawn, p50', unit: '×', digits: 2 },
    { key: 'overBareP99', label: 'lateness ÷ bare spawn, p99', unit: '×', digits: 2 },
    ...USAGE_MEASURES,
  ],
  targets: [{ measure: 'overBareP99', atMost: 1.3 }],

  async run(context) {
    const baseline = async (): Promise<number[]> => {
      const found: number[] = [];
      for (let round = 0; round < BASELINE_ROUNDS; round += 1)
        found.push(...(await context.spawners.spawn({ count: JOBS, concurrency: Infinity })).latenessMs);
      return found;
    };
    const bareBefore = await baseline();
    const cluster = await BenchCluster.start(context, '/every-second-command');
    try {
      const fromRevision = await cluster.revision();
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      const plannedMs = await cluster.allPlanned(jobs);
      const firstDueMs = Math.ceil((Date.now() + WARM_UP_MS) / 1000) * 1000;
      // A claim is made half a second before its due time: the stretch begins and ends in between.
      await sleep(firstDueMs - 1_000 - Date.now());
      const fromUs = profileTimeUs();
      const usage = await beginUsage(context.etcd.endpoint, cluster.pids);
      await sleep(firstDueMs + (SECONDS - 1) * 1000 - Date.now());
      const spent = await usage.figures(JOBS * SECONDS);
      const toUs = profileTimeUs();
      const dues = Array.from({ length: SECONDS }, (_, second) => firstDueMs + second * 1000);
      const { records, problems } = await account(cluster, fromRevision, jobs, dues, LAST_RECORD_WITHIN_MS);
      const complaints = cluster.complaints();
      await cluster.stop();
      for (const line of complaints) context.say(line);
      const costs = await costsPerFiring(cluster, records, fromUs, toUs);

      const bare = spread('lateness', [...bareBefore, ...(await baseline())]);
      const lateness = spread('lateness', latenessesMs(records));
      const figures = {
        plannedMs,
        ...lateness,
        overBareP50: lateness.latenessP50Ms! / bare.latenessP50Ms!,
        overBareP99: lateness.latenessP99Ms! / bare.latenessP99Ms!,
        ...spent,
      };
      const peer = await comparePeer(context, everySecondCommand.name, { jobs: JOBS, seconds: SECONDS });
      return { figures, problems, costs, raw: bare, ...peer };
    } finally {
      await cluster.stop();
    }
  },
};
