import { costsPerFiring } from '../accounting.js';
import { measureBurst } from '../burst.js';
import { BenchCluster } from '../cluster.js';
import { comparePeer } from '../compare-peer.js';
import { firingsPerSecond, WRITES_PER_FIRING } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { HANDLER_USAGE_MEASURES } from '../usage.js';

const JOBS = 10_000;

/** The peak: everything is due at one instant, as at midnight. */
export const burst: Scenario = {
  name: 'burst',
  title: `${JOBS.toLocaleString('en')} no-op handler jobs due at one instant, ${WORKERS} workers`,
  measures: [
    ...spreadMeasures('lateness', 'lateness of the start', 1),
    { key: 'finishedMs', label: 'due time → all durably finished', unit: 'ms', digits: 0 },
    {
      key: 'perSecond',
      label: 'firings finished per second (raw limit: what etcd alone would take)',
      unit: '/s',
      digits: 0,
    },
    { key: 'ofEtcd', label: 'that rate ÷ the raw limit', unit: '×', digits: 3 },
    ...HANDLER_USAGE_MEASURES,
  ],
  targets: [
    { measure: 'latenessP99Ms', atMost: 50 },
    { measure: 'finishedMs', atMost: 1_000 },
  ],

  async run(context) {
    const raw = { perSecond: firingsPerSecond(await context.rawLimits(WORKERS), WRITES_PER_FIRING) };
    const cluster = await BenchCluster.start(context, '/burst', { kind: 'handler' });
    try {
      const measured = await measureBurst(context, cluster, { count: JOBS });
      for (const line of cluster.complaints()) context.say(line);
      await cluster.stopWorkers();
      const { finishedMs, records, fromUs, toUs, problems } = measured;
      const costs = await costsPerFiring(cluster, records, fromUs, toUs);
      const perSecond = (JOBS / finishedMs) * 1000;
      const figures = {
        ...spread('lateness', measured.latenessMs),
        ...{ finishedMs, perSecond, ofEtcd: perSecond / raw.perSecond },
        ...measured.usage,
      };
      const peer = await comparePeer(context, burst.name, { jobs: JOBS, seconds: 1 });
      return { figures, problems, costs, raw, ...peer };
    } finally {
      await cluster.stop();
    }
  },
};
