/**
 * Whether those who ask delay those who are due: the lateness of jobs without and then beside 500 requests a second to the HTTP
 * API of the same workers, in the same run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { decodeRecord } from '../../src/etcd/record.js';
import { prefixRange } from '../../src/etcd/store.js';
import { account, latenessesMs } from '../accounting.js';
import { askEverySecond } from '../api-clients.js';
import { BenchCluster } from '../cluster.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { beginUsage } from '../usage.js';

const JOBS = 30;
const SECONDS = 15;
const REQUESTS_PER_SECOND = 500;
/** From the moment at which all jobs are planned, and again from the first request: what is loaded with it is loaded. */
const WARM_UP_MS = 5_000;
const LAST_RECORD_WITHIN_MS = 60_000;
const API_WITHIN_MS = 30_000;
const POLL_MS = 100;

export const apiLoad: Scenario = {
  name: 'api-load',
  title: `${JOBS} jobs every second for ${SECONDS} s, /bin/true, ${WORKERS} workers; then the same beside ${REQUESTS_PER_SECOND} API requests a second to them`,
  measures: [
    ...spreadMeasures('quiet', 'lateness without requests'),
    ...spreadMeasures('asked', 'lateness beside the requests'),
    { key: 'addedP99Ms', label: 'what the requests add, p99', unit: 'ms', digits: 0 },
    { key: 'answered', label: 'requests answered a second', unit: '/s', digits: 0 },
    ...spreadMeasures('answer', 'request → answer'),
    { key: 'quietCpu', label: 'CPU of all workers without requests', unit: 'cores', digits: 2 },
    { key: 'askedCpu', label: 'CPU of all workers beside the requests', unit: 'cores', digits: 2 },
  ],
  targets: [{ measure: 'addedP99Ms', atMost: 50 }],

  async run(context) {
    const cluster = await BenchCluster.start(context, '/api-load');
    try {
      const fromRevision = await cluster.revision();
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      await cluster.allPlanned(jobs);
      const addresses = await apiAddresses(cluster);
      const stretch = async () => {
        const firstDueMs = Math.ceil((Date.now() + WARM_UP_MS) / 1000) * 1000;
        await sleep(firstDueMs - 1_000 - Date.now());
        const usage = await beginUsage(context.etcd.endpoint, cluster.pids);
        await sleep(firstDueMs + (SECONDS - 1) * 1000 - Date.now());
        const { workerCpuMs = NaN } = await usage.figures(SECONDS);
        const dues = Array.from({ length: SECONDS }, (_, second) => firstDueMs + second * 1000);
        const { records, problems } = await account(cluster, fromRevision, jobs, dues, LAST_RECORD_WITHIN_MS);
        return { problems, latenesses: latenessesMs(records), cores: workerCpuMs / 1000 };
      };
      const quiet = await stretch();
      const asking = new AbortController();
      const answers = askEverySecond(urlsOf(addresses, jobs), REQUESTS_PER_SECOND, asking.signal);
      const asked = await stretch();
      asking.abort();
      const { latenciesMs, perSecond, problems } = await answers;
      for (const line of cluster.complaints()) context.say(line);
      const lateness = { ...spread('quiet', quiet.latenesses), ...spread('asked', asked.latenesses) };
      const figures = {
        ...lateness,
        addedP99Ms: lateness.askedP99Ms! - lateness.quietP99Ms!,
        answered: perSecond,
        ...spread('answer', latenciesMs),
        ...{ quietCpu: quiet.cores, askedCpu: asked.cores },
      };
      return { figures, problems: [...quiet.problems, ...asked.problems, ...problems] };
    } finally {
      await cluster.stop();
    }
  },
};

/** Of all workers, once each has one. */
async function apiAddresses({ store, keys }: BenchCluster): Promise<string[]> {
  const giveUpAt = performance.now() + API_WITHIN_MS;
  for (;;) {
    const { kvs } = await store.range(prefixRange(keys.workers));
    const found = kvs.flatMap((kv) => {
      const record = decodeRecord(workerRecordSchema, kv);
      return record.ok && record.value.api !== null ? [record.value.api] : [];
    });
    if (found.length >= WORKERS) return found;
    if (performance.now() > giveUpAt) throw new Error(`${found.length} workers serve an API in time`);
    await sleep(POLL_MS);
  }
}

/** What a page and its watchers ask. */
function urlsOf(addresses: readonly string[], jobs: readonly string[]): string[] {
  const paths = ['cluster', 'jobs?limit=50', 'runs?limit=50', 'workers', `jobs/${jobs[0]}`];
  return paths.flatMap((path) => addresses.map((address) => new URL(`/api/v1/${path}`, address).href));
}
