/** The cluster as a whole, its workers, limits, and numbers over time. */
import { z } from 'zod';
import {
  durationMs,
  numberQuery,
  optionalBody,
  outcomeCounts,
  pause,
  revision,
  runId,
  textQuery,
  time,
  timeQuery,
} from './common.js';
import { run } from './runs.js';

const leader = z.object({ node: z.string(), name: z.string(), since: time }).meta({ id: 'Leader' });

export type LeaderView = z.output<typeof leader>;

const etcdMember = z.object({
  endpoint: z.string(),
  version: z.string(),
  isLeader: z.boolean(),
  dbSizeBytes: z.number(),
  dbInUseBytes: z.number(),
  quotaBytes: z.number(),
  isFull: z.boolean().describe('The database reached its quota: etcd refuses writes'),
});

const named = z.object({ name: z.string(), reason: z.string() });

export const cluster = z
  .object({
    at: time.describe('The clock of the node that answers'),
    staleSince: time
      .nullable()
      .describe('While the node does not follow etcd: nothing is known of what happened after this'),
    revision,
    prefix: z.string(),
    answeredBy: z.object({
      node: z.string().nullable().describe('Null for `etcron serve`'),
      version: z.string(),
    }),
    healthy: z.boolean().describe('Somebody leads, a worker is active, and etcd takes writes'),
    problems: z.array(z.string()).describe('What somebody should look at, worst first'),
    leader: leader.nullable(),
    workers: z.object({
      active: z.number().int(),
      draining: z.number().int(),
      skewed: z.number().int().describe('Their clocks are off: they take nothing'),
      load: z.number().describe('The weight of all that was claimed'),
      capacity: z.number(),
    }),
    jobs: z.object({
      total: z.number().int(),
      ok: z.number().int(),
      paused: z.number().int(),
      broken: z.number().int(),
      done: z.number().int(),
      cannotRun: z.number().int().describe('Of those that are ok: no worker or no limit lets them run'),
    }),
    firings: z.object({
      planned: z.number().int(),
      inFlight: z.number().int(),
      late: z.number().int(),
      waiting: z.number().int().describe('For another attempt'),
      queued: z.number().int().describe('For their turn'),
    }),
    late: z.array(run).describe('The oldest of those that should have begun and have not'),
    queued: z.array(run).describe('The oldest of those that wait for their turn'),
    cannotRun: z.array(named).describe('Jobs that cannot run as things are, and why: the first 50'),
    broken: z
      .array(named)
      .describe('Jobs whose definitions are wrong, and the first problem of each: the first 50'),
    paused: z.array(z.object({ name: z.string(), pause })),
    failedLately: z.object({
      from: time.describe('Since when they are counted'),
      count: z.number().int(),
      runs: z.array(run).describe('The newest of them'),
      complete: z.boolean().describe('False when not all records since then are known'),
    }),
    plannedThrough: time.nullable().describe('Up to here the leader has planned'),
    etcd: z.object({
      members: z.array(etcdMember),
      problem: z
        .string()
        .nullable()
        .describe('When the database comes near its quota, or etcd does not answer'),
    }),
  })
  .meta({ id: 'Cluster' });

export type ClusterStatus = z.output<typeof cluster>;

export const handOverBody = optionalBody(
  z.object({ to: textQuery.optional().describe('The name of the worker that should lead next') }),
);

export const handedOver = z.object({ requested: z.literal(true), leader: z.string().nullable() });

export const statsQuery = z.object({
  from: timeQuery.optional().describe('Default: an hour ago'),
  to: timeQuery.optional().describe('Default: now'),
  buckets: numberQuery(1, 500, 60),
  job: textQuery.optional(),
});

const lateness = z
  .object({ count: z.number().int(), p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() })
  .nullable()
  .describe('In ms, of the runs that started; null when none did');

export const stats = z.object({
  from: time,
  to: time,
  bucketMs: durationMs,
  complete: z.boolean().describe('False when not all records since `from` are known'),
  buckets: z.array(z.object({ from: time, outcomes: outcomeCounts, latenessMs: lateness })),
  totals: z.object({ outcomes: outcomeCounts, latenessMs: lateness }),
});

export const timelineQuery = z.object({
  from: timeQuery.optional().describe('Default: an hour ago'),
  to: timeQuery.optional().describe('Default: in an hour'),
  buckets: numberQuery(1, 500, 120),
  limit: numberQuery(1, 500, 50).describe('How many runs and due times are listed one by one'),
});

export const comingRun = z
  .object({
    job: z.string(),
    due: time,
    run: runId.nullable().describe('When it is planned already'),
    worker: z.string().nullable().describe('Who has claimed it'),
    pause: pause.nullable().describe('It would be due, were the job not paused'),
    cannotRun: z.string().nullable(),
  })
  .meta({ id: 'ComingRun' });

export type ComingRun = z.output<typeof comingRun>;

export const timeline = z.object({
  from: time,
  to: time,
  now: time,
  bucketMs: durationMs,
  buckets: z.array(
    z.object({
      from: time,
      outcomes: outcomeCounts.describe('What ended, by due time'),
      running: z.number().int(),
      coming: z.number().int(),
    }),
  ),
  past: z.array(run).describe('The newest that ended'),
  running: z.array(run),
  coming: z.array(comingRun).describe('The soonest'),
  complete: z.boolean().describe('False when records or due times in this time were left out'),
});

export const worker = z
  .object({
    node: z.string(),
    name: z.string(),
    host: z.string(),
    pid: z.number().int(),
    version: z.string(),
    state: z.enum(['active', 'draining']),
    skewed: z.boolean().describe('Its clock is off the others: it takes nothing'),
    leader: z.boolean(),
    capacity: z.number(),
    load: z.number().describe('The weight of what it has claimed or runs'),
    running: z.number().int().describe('How many firings it has'),
    labels: z.record(z.string(), z.string()),
    handlers: z.array(z.string()),
    since: time,
    clock: time.nullable().describe('What its clock showed when it last said so'),
    api: z.string().nullable().describe('Where its own API is; null for none'),
    drain: z
      .object({ by: z.string().nullable(), reason: z.string().nullable(), at: time.nullable() })
      .nullable()
      .describe('Somebody asked it to drain'),
    runs: z.array(run).describe('What it has, the oldest first; not more than 50'),
  })
  .meta({ id: 'Worker' });

export type WorkerView = z.output<typeof worker>;

export const workerList = z.object({
  workers: z.array(worker),
  drains: z
    .array(
      z.object({
        name: z.string(),
        by: z.string().nullable(),
        reason: z.string().nullable(),
        at: time.nullable(),
      }),
    )
    .describe('Requests to drain, also for workers that are not there now'),
});

export const workerParams = z.object({ name: z.string().describe('The name of the worker') });

export const drainBody = optionalBody(z.object({ reason: z.string().min(1).max(256).optional() }));

export const drained = z.object({ name: z.string(), draining: z.boolean(), changed: z.boolean() });

export const limitList = z.object({
  limits: z.array(
    z
      .object({
        name: z.string(),
        size: z.number().int().nullable().describe('Null: nobody gave it one, and nothing runs under it'),
        problem: z.string().nullable(),
        held: z.array(runId).describe('Who runs under it'),
        waiting: z.number().int(),
        waitingRuns: z
          .array(runId)
          .describe('The first of those that wait, in the order of their turns; not more than 50'),
        jobs: z.array(z.string()),
      })
      .meta({ id: 'Limit' }),
  ),
});

export const limitParams = z.object({ name: z.string() });
export const limitBody = z.object({ size: z.number().int().min(0).max(100_000) });
export const limitSaved = z.object({
  name: z.string(),
  size: z.number().int().nullable(),
  before: z.number().int().nullable(),
});

export { leader };
