import { costsPerFiring } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { comparePeer } from '../compare-peer.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { measureStretch } from '../stretch.js';
import { HANDLER_USAGE_MEASURES } from '../usage.js';

const JOBS = 3_000;
const SCHEDULE = '* * * * * *';
const MORE = { misfire: 'all' };
const SECONDS = 60;
const WARM_UP_MS = 5_000;

/** A load that goes on: whether it is carried, and for how long. All jobs are due at the same instant of each second. */
export const sustained: Scenario = {
  name: 'sustained',
  title: `${JOBS.toLocaleString('en')} no-op handler jobs every second for ${SECONDS} s, ${WORKERS} workers`,
  measures: [
    ...spreadMeasures('lateness', 'lateness of the start', 1),
    { key: 'backlog', label: 'firings without a record 1 s after the last due time', unit: '', digits: 0 },
    { key: 'carriedPerSecond', label: 'firings recorded by then, a second', unit: '/s', digits: 0 },
    ...HANDLER_USAGE_MEASURES,
  ],
  targets: [
    { measure: 'latenessP99Ms', atMost: 50 },
    { measure: 'backlog', atMost: 0 },
  ],

  async run(context) {
    const cluster = await BenchCluster.start(context, '/sustained', { kind: 'handler' });
    try {
      const jobs = await cluster.rampUp(JOBS, SCHEDULE, MORE);
      // Where the planning does not keep up, the rest comes at once.
      const left = JOBS - jobs.length;
      if (left > 0) jobs.push(...(await cluster.putJobs(left, SCHEDULE, MORE, 'job', jobs.length)));
      const stretch = await measureStretch(context, cluster, {
        jobs,
        seconds: SECONDS,
        warmUpMs: WARM_UP_MS,
        mayFallBehind: true,
        evenUnplanned: true,
      });
      for (const line of cluster.complaints()) context.say(line);
      await cluster.stopWorkers();
      const costs = await costsPerFiring(cluster, stretch.records, stretch.fromUs, stretch.toUs);
      const figures = {
        ...spread('lateness', stretch.latenessMs),
        backlog: stretch.backlog,
        carriedPerSecond: (stretch.firings - stretch.backlog) / SECONDS,
        ...stretch.usage,
      };
      const peer = await comparePeer(context, sustained.name, { jobs: JOBS, seconds: SECONDS });
      return { figures, problems: stretch.problems, costs, ...peer };
    } finally {
      await cluster.stop();
    }
  },
};
