/**
 * How long a worker takes from the start of its process until it can claim. It joins others, and firings that only it may
 * run wait for it: its first claim shows that it is ready, and not what it says of itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { formatRunId } from '../../src/etcd/keys.js';
import { prefixRange, singleKey } from '../../src/etcd/store.js';
import { JobEntry } from '../../src/view/job-entry.js';
import { requestRun } from '../../src/view/request-run.js';
import { BenchCluster } from '../cluster.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { median, spread } from '../statistics.js';
import { processTimes } from '../usage.js';
import { watchFor } from '../watch-for.js';

const STARTS = 10;
const CLAIMED_WITHIN_MS = 15_000;
const LABEL = 'bench';

export const start: Scenario = {
  name: 'start',
  title: `a worker joins ${WORKERS - 1} others ${STARTS} times, and claims what waits for it; raw limit: an empty Node process`,
  measures: [
    ...spreadMeasures('ready', 'process started → it has claimed what only it may run'),
    ...spreadMeasures('registered', 'process started → its key under workers/ is there'),
    { key: 'cpuMs', label: 'CPU of the worker until it has claimed, median', unit: 'ms', digits: 0 },
    { key: 'overNode', label: 'ready ÷ an empty Node process, p50', unit: '×', digits: 1 },
  ],
  targets: [{ measure: 'readyMaxMs', atMost: 1_000 }],

  async run(context) {
    const cluster = await BenchCluster.start(context, '/start', { workers: WORKERS - 1 });
    const { keys, store } = cluster;
    const registered: number[] = [];
    const ready: number[] = [];
    const cpu: number[] = [];
    const bare: number[] = [];
    const problems: string[] = [];
    try {
      for (let round = 1; round <= STARTS; round += 1) {
        const name = `joins-${round}`;
        await cluster.putDefinitions([
          [name, { schedule: '0 0 1 1 *', target: { with: { [LABEL]: name } } }],
        ]);
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
        cpu.push((await processTimes(worker.pid))?.ownMs ?? NaN);
        await ended;
        if ((await claimed).atMs === Infinity) problems.push(`${formatRunId(id)} was not claimed in time`);
        await cluster.remove(worker);
        bare.push(await startNode());
      }
      for (const line of cluster.complaints()) context.say(line);
      const figures = {
        ...spread('ready', ready),
        ...spread('registered', registered),
        ...{ cpuMs: median(cpu), overNode: median(ready) / median(bare) },
      };
      return { figures, problems, raw: spread('ready', bare) };
    } finally {
      await cluster.stop();
    }
  },
};

/** Until a Node process that does nothing says that it runs, ms. */
async function startNode(): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, ['-e', 'console.log(1)'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  const tookMs = performance.now() - startedMs;
  await closed;
  return tookMs;
}
