/** What is valid and yet surely not meant: said when jobs are checked, applied or put. */
import { formatDuration } from '../duration.js';
import { scheduleOf, type Job } from '../jobs/index.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange } from '../etcd/store.js';
import { decodeLimit } from '../view/limit-record.js';
import { whyNobody } from '../view/eligibility.js';
import type { Cluster } from '../etcd/cluster.js';
import { workerEntries } from './snapshot.js';
import { neverAgain } from './never-again.js';

/** Due times looked at for how close they come to each other. */
const INTERVALS = 50;
const JOBS_PER_TURN = 100;
const CENTURY_MS = 100 * 365 * 86_400_000;

/** What can be judged from the jobs alone, one line for each finding. */
export function jobWarnings(jobs: readonly Job[], nowMs: number): string[] {
  return [
    ...neverAgain(jobs, nowMs),
    ...jobs.flatMap((job) => [...timeoutWarnings(job, nowMs), ...removalWarnings(job, nowMs)]),
  ];
}

/** The same for a whole file: thousands of jobs take seconds, and others have their turn in between. */
export async function jobWarningsInTurns(jobs: readonly Job[], nowMs: number): Promise<string[]> {
  const lines: string[] = [];
  for (let from = 0; from < jobs.length; from += JOBS_PER_TURN) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve));
    lines.push(...jobWarnings(jobs.slice(from, from + JOBS_PER_TURN), nowMs));
  }
  return lines;
}

/** What only the cluster can tell: whether what each job asks for is there now. Rejects with a `StoreError`. */
export async function clusterWarnings(cluster: Cluster, jobs: readonly Job[]): Promise<string[]> {
  return [...(await workerWarnings(cluster, jobs)), ...(await limitWarnings(cluster, jobs))];
}

async function limitWarnings({ store, keys }: Cluster, jobs: readonly Job[]): Promise<string[]> {
  if (jobs.every(({ limits }) => limits.length === 0)) return [];
  const { kvs } = await listRange(store, prefixRange(keys.limits), { pageSize: 1_000 });
  const sizes = new Map(
    [...kvs.values()].map((kv) => [kv.key.slice(keys.limits.length), decodeLimit(kv).size]),
  );
  return jobs.flatMap(({ name, limits }) =>
    limits
      .filter((limit) => (sizes.get(limit) ?? 0) === 0)
      .map(
        (limit) =>
          `the limit ${limit} of the job ${name} lets nothing run: "etcron limits set ${limit} <size>"`,
      ),
  );
}

async function workerWarnings({ store, keys }: Cluster, jobs: readonly Job[]): Promise<string[]> {
  const { kvs } = await listRange(store, prefixRange(keys.workers), { pageSize: 1_000 });
  const workers = workerEntries(keys, [...kvs.values()]).map(({ value }) => value);
  if (workers.length === 0) return [];
  return jobs.flatMap((job) => {
    const why = whyNobody(job, null, workers);
    return why === null ? [] : [`no worker can run the job ${job.name} now: ${why}`];
  });
}

/** It waits for an end that will not come. */
function removalWarnings(job: Job, nowMs: number): string[] {
  if (job.removeAfterMs === null || job.maxRuns !== null) return [];
  if (scheduleOf(job).next(nowMs + CENTURY_MS) === null) return [];
  return [
    `the job ${job.name} is due for ever, so that its removeAfter does nothing: it goes with @at, endAt or maxRuns`,
  ];
}

/** A slow run would make the job skip due times, which its timeout seems made to prevent. */
function timeoutWarnings(job: Job, nowMs: number): string[] {
  const { timeoutMs, overlap, name } = job;
  if (timeoutMs === null || overlap.policy !== 'skip' || job.maxConcurrent !== 1) return [];
  const intervalMs = shortestInterval(job, nowMs);
  if (intervalMs === null || timeoutMs <= intervalMs) return [];
  const times = `${formatDuration(timeoutMs)} is longer than the ${formatDuration(intervalMs)} between its due times`;
  return [`the timeout of the job ${name} of ${times}: with overlap: skip, a slow run skips the next ones`];
}

function shortestInterval(job: Job, nowMs: number): number | null {
  const schedule = scheduleOf(job);
  let shortest: number | null = null;
  let before = schedule.next(nowMs);
  for (let count = 0; before !== null && count < INTERVALS; count += 1) {
    const next = schedule.next(before);
    if (next !== null) shortest = Math.min(shortest ?? Infinity, next - before);
    before = next;
  }
  return shortest;
}
