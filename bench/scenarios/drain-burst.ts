import { setTimeout as sleep } from 'node:timers/promises';
import { account, costsPerFiring, latenessesMs } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { prefixRange, type Watch } from '../../src/etcd/store.js';
import { profileTimeUs } from '../cpu-profile.js';
import { spreadMeasures, type Scenario } from '../scenario.js';
import { onlyAt } from '../schedules.js';
import { spread } from '../statistics.js';
import { beginUsage, USAGE_MEASURES } from '../usage.js';

const JOBS = 2_000;
/** Before the due time: longer than the horizon, so that planning falls into what is measured. */
const NOTICE_MS = NODE_DEFAULTS.horizonMs + 7_000;
const DRAINED_WITHIN_MS = 120_000;
const LAST_RECORD_WITHIN_MS = 30_000;

/** The peak: everything is due at one instant, as at midnight. */
export const drainBurst: Scenario = {
  name: 'drain-burst',
  title: `${JOBS.toLocaleString('en')} jobs due at one instant, /bin/true, 3 workers; raw limit: bare spawns from 3 Node processes`,
  measures: [
    { key: 'perSecond', label: 'firings drained per second', unit: '/s', digits: 0 },
    { key: 'finishedMs', label: 'due time → all durably finished', unit: 'ms', digits: 0 },
    ...spreadMeasures('lateness', 'lateness of the process start'),
    { key: 'ofBare', label: 'drained ÷ bare spawns', unit: '×', digits: 2 },
    ...USAGE_MEASURES,
  ],
  targets: [],
  onlyWhenNamed: true,

  async run(context) {
    const concurrency = NODE_DEFAULTS.capacity;
    const bareBefore = await context.spawners.spawn({ count: JOBS, concurrency });
    const cluster = await BenchCluster.start(context, '/drain-burst');
    try {
      const fromRevision = await cluster.revision();
      const dueMs = Math.ceil((Date.now() + NOTICE_MS) / 1000) * 1000;
      const jobs = await cluster.putJobs(JOBS, onlyAt(new Date(dueMs)));
      const fromUs = profileTimeUs();
      const usage = await beginUsage(context.etcd.endpoint, cluster.pids);
      const finishedMs = await allRecorded(cluster, fromRevision, dueMs);
      const spent = await usage.figures(JOBS);
      const toUs = profileTimeUs();
      const { records, problems } = await account(
        cluster,
        fromRevision,
        jobs,
        [dueMs],
        LAST_RECORD_WITHIN_MS,
      );
      const complaints = cluster.complaints();
      await cluster.stop();
      for (const line of complaints) context.say(line);
      const costs = await costsPerFiring(cluster, records, fromUs, toUs);

      const bareAfter = await context.spawners.spawn({ count: JOBS, concurrency });
      const perSecond = (JOBS / finishedMs) * 1000;
      const barePerSecond = (JOBS / ((bareBefore.endedMs + bareAfter.endedMs) / 2)) * 1000;
      const figures = {
        ...{ perSecond, finishedMs },
        ofBare: perSecond / barePerSecond,
        ...spread('lateness', latenessesMs(records)),
        ...spent,
      };
      return { figures, problems, costs, raw: { perSecond: barePerSecond } };
    } finally {
      await cluster.stop();
    }
  },
};

/** How long after `dueMs` the last record had been committed, seen from here; NaN when that took too long. */
async function allRecorded(cluster: BenchCluster, fromRevision: number, dueMs: number): Promise<number> {
  const seen = new Set<string>();
  const timeout = new AbortController();
  let watch: Watch | undefined;
  const done = new Promise<number>((resolve, reject) => {
    watch = cluster.store.watch(prefixRange(cluster.keys.runs), fromRevision, {
      onEvents: (events) => {
        for (const event of events) if (event.type === 'put') seen.add(event.kv.key);
        if (seen.size === JOBS) resolve(Date.now() - dueMs);
      },
      onLost: reject,
    });
  });
  const limitMs = dueMs + DRAINED_WITHIN_MS - Date.now();
  const late = sleep(limitMs, NaN, { signal: timeout.signal }).catch(() => NaN);
  try {
    return await Promise.race([done, late]);
  } finally {
    timeout.abort();
    watch?.close();
  }
}
