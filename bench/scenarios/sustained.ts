import { costsPerFiring } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { spreadMeasures, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { measureStretch } from '../stretch.js';
import { USAGE_MEASURES } from '../usage.js';

const JOBS = 3_000;
const SECONDS = 60;
const WARM_UP_MS = 5_000;

/** A load that goes on: whether it is carried, and for how long. All jobs are due at the same instant of each second. */
export const sustained: Scenario = {
  name: 'sustained',
  title: `${JOBS.toLocaleString('en')} no-op handler jobs every second for ${SECONDS} s, 3 workers`,
  measures: [
    ...spreadMeasures('lateness', 'lateness of the start', 1),
    { key: 'backlog', label: 'firings without a record 1 s after the last due time', unit: '', digits: 0 },
    ...USAGE_MEASURES.filter(({ key }) => key !== 'commandCpuMs'),
  ],
  targets: [
    { measure: 'latenessP99Ms', atMost: 50 },
    { measure: 'backlog', atMost: 0 },
  ],

  async run(context) {
    const cluster = await BenchCluster.start(context, '/sustained', { kind: 'handler' });
    try {
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      const stretch = await measureStretch(context, cluster, {
        jobs,
        seconds: SECONDS,
        warmUpMs: WARM_UP_MS,
      });
      for (const line of cluster.complaints()) context.say(line);
      await cluster.stopWorkers();
      if (stretch === null) throw new Error(`${JOBS} firings a second were not planned in time`);
      const costs = await costsPerFiring(cluster, stretch.records, stretch.fromUs, stretch.toUs);
      const figures = {
        ...spread('lateness', stretch.latenessMs),
        backlog: stretch.backlog,
        ...stretch.usage,
      };
      return { figures, problems: stretch.problems, costs };
    } finally {
      await cluster.stop();
    }
  },
};
