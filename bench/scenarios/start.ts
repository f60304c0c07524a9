/**
 * How long a worker takes from the start of its process until it can claim. It joins others, and firings that only it may
 * run wait for it: its first claim shows that it is ready, and not what it says of itself.
 */
import { watchFor } from '../watch-for.js';
import { BenchCluster } from '../cluster.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { JobEntry } from '../../src/view/job-entry.js';
import { requestRun } from '../../src/view/request-run.js';
import { formatRunId } from '../../src/etcd/keys.js';
import { prefixRange, singleKey } from '../../src/etcd/store.js';

const STARTS = 10;
const CLAIMED_WITHIN_MS = 15_000;
const LABEL = 'bench';

export const start: Scenario = {
  name: 'start',
  title: `a worker joins ${WORKERS - 1} others ${STARTS} times, and claims what waits for it`,
  measures: [
    ...spreadMeasures('ready', 'process started → it has claimed what only it may run'),
    ...spreadMeasures('registered', 'process started → its key under workers/ is there'),
  ],
  targets: [{ measure: 'readyMaxMs', atMost: 1_000 }],

  async run(context) {
    const cluster = await BenchCluster.start(context, '/start', { workers: WORKERS - 1 });
    const { keys, store } = cluster;
    const registered: number[] = [];
    const ready: number[] = [];
    const problems: string[] = [];
    try {
      for (let round = 1; round <= STARTS; round += 1) {
        const name = `joins-${round}`;
        await cluster.putDefinitions([[name, { schedule: '0 0 1 1 *', target: { with: { [LABEL]: name } } }]]);
        const id = await requestRun(
          cluster,
          name,
          async () => new JobEntry(name, (await store.range(singleKey(keys.job(name)))).kvs[0]!),
          { by: 'the benchmark', now: () => Date.now() },
        );
        const fromRevision = (await cluster.revision()) + 1;
        const startedMs = performance.now();
        const worker = cluster.add(['--label', `${LABEL}=${name}`]);
        const [up, claimed, ended] = [
          watchFor(store, prefixRange(`${keys.workers}${worker.name}-`), fromRevision, CLAIMED_WITHIN_MS),
          watchFor(store, singleKey(keys.lock(id)), fromRevision, CLAIMED_WITHIN_MS),
          watchFor(store, singleKey(keys.run(id)), fromRevision, CLAIMED_WITHIN_MS),
        ];
        registered.push((await up).atMs - startedMs);
        ready.push((await claimed).atMs - startedMs);
        await ended;
        if ((await claimed).atMs === Infinity) problems.push(`${formatRunId(id)} was not claimed in time`);
        await cluster.remove(worker);
      }
      for (const line of cluster.complaints()) context.say(line);
      return { figures: { ...spread('ready', ready), ...spread('registered', registered) }, problems };
    } finally {
      await cluster.stop();
    }
  },
};
