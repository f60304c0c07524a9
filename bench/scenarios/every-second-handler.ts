import { costsPerFiring } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { comparePeer } from '../compare-peer.js';
import { WATCH_MEASURES, watchLimits } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { measureStretch } from '../stretch.js';
import { HANDLER_USAGE_MEASURES } from '../usage.js';

const JOBS = 100;
const SECONDS = 20;
const WARM_UP_MS = 5_000;

/** The steady state: how much later than its due time a handler is called. */
export const everySecondHandler: Scenario = {
  name: 'every-second-handler',
  title: `${JOBS} no-op handler jobs every second for ${SECONDS} s, ${WORKERS} workers`,
  measures: [
    ...spreadMeasures('lateness', 'lateness of the start', 1),
    { key: 'overWatchP99', label: 'lateness ÷ put → watch event, p99', unit: '×', digits: 2 },
    ...HANDLER_USAGE_MEASURES,
  ],
  rawMeasures: WATCH_MEASURES,
  targets: [{ measure: 'latenessP99Ms', atMost: 5 }],

  async run(context) {
    const raw = watchLimits(await context.rawLimits(WORKERS));
    const cluster = await BenchCluster.start(context, '/every-second-handler', { kind: 'handler' });
    try {
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      const stretch = await measureStretch(context, cluster, {
        jobs,
        seconds: SECONDS,
        warmUpMs: WARM_UP_MS,
      });
      for (const line of cluster.complaints()) context.say(line);
      await cluster.stopWorkers();
      const costs = await costsPerFiring(cluster, stretch.records, stretch.fromUs, stretch.toUs);
      const lateness = spread('lateness', stretch.latenessMs);
      const figures = {
        ...lateness,
        overWatchP99: lateness.latenessP99Ms! / raw.watchP99Ms!,
        ...stretch.usage,
      };
      const peer = await comparePeer(context, everySecondHandler.name, { jobs: JOBS, seconds: SECONDS });
      return { figures, problems: stretch.problems, costs, raw, ...peer };
    } finally {
      await cluster.stop();
    }
  },
};
