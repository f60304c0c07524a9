/**
 * BullMQ on Redis. The work of every second is a job scheduler with a cron pattern for each job (`upsertJobScheduler`). Where
 * that is too much for it, at thousands of firings, it is spared the scheduler's work: each firing is a delayed job, BullMQ's
 * own way for work that is due once, and all of them are put before the measurement. As many worker processes as etcron has,
 * on one queue; Redis syncs its append-only file before each reply. Each scenario has a Redis of its own.
 *
 * `WORK` holds what was best of what was tried for each scenario: see docs/performance.md.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import type { Figures, Measure } from '../scenario.js';
import { processTimes } from '../usage.js';
import type { BullmqOrder, FromWorker, ToWorker } from './bullmq-worker-process.js';
import { findRedis, type RedisBinary } from './find-redis.js';
import type { Peer, PeerContext } from './peer.js';
import { startRedis, type RedisServer } from './redis-server.js';
import { judgeStarts, type StartNote } from './starts.js';

interface Work {
  readonly by: 'schedulers' | 'delayed';
  readonly command: boolean;
  readonly instances: number;
  readonly concurrency: number;
}

const WORKER_PROGRAM = fileURLToPath(new URL('./bullmq-worker-process.js', import.meta.url));
const QUEUE = 'bench';
const WARM_UP_MS = 5_000;
/** From the last due time on: what is not done then counts as lost. */
const DONE_WITHIN_MS = 60_000;
const POLL_MS = 100;
const COLLECT_EVERY_MS = 1_000;
/** When nothing that is expected has started for so long, the rest never will: a scheduler that is late skips due times. */
const QUIET_MS = 10_000;
const JOBS_PER_CALL = 1_000;
/** For each delayed job; a free machine takes a tenth of it. */
const PUT_WITHIN_MS = 0.5;
const SCHEDULERS_IN_FLIGHT = 100;

const WORK: Readonly<Record<string, Work>> = {
  'every-second-handler': { by: 'schedulers', command: false, instances: 1, concurrency: 10 },
  'every-second-command': { by: 'schedulers', command: true, instances: 1, concurrency: 20 },
  burst: { by: 'delayed', command: false, instances: 1, concurrency: 100 },
  sustained: { by: 'delayed', command: false, instances: 1, concurrency: 10 },
};

/** What the figures of a run are that no scenario of etcron has. */
export const BULLMQ_MEASURES: readonly Measure[] = [
  { key: 'lost', label: 'due times that were not run', unit: '', digits: 0 },
  { key: 'doubled', label: 'runs that were started again', unit: '', digits: 0 },
  { key: 'early', label: 'runs that started early', unit: '', digits: 0 },
  { key: 'redisCpuMs', label: 'CPU of Redis per firing', unit: 'ms', digits: 2 },
];

/** Null, after saying why, where there is no Redis to be had: the benchmark goes on without. */
export async function findBullmqPeer(say: (line: string) => void): Promise<Peer | null> {
  try {
    return new BullmqPeer(await findRedis({ onProgress: say }));
  } catch (error) {
    say(`There is no peer to compare with: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

export class BullmqPeer implements Peer {
  readonly name = 'BullMQ on Redis, appendfsync always';
  readonly #redis: RedisBinary;

  constructor(redis: RedisBinary) {
    this.#redis = redis;
  }

  versions(): Promise<Record<string, string>> {
    const require = createRequire(import.meta.url);
    const { version } = require('bullmq/package.json') as { version: string };
    return Promise.resolve({ bullmq: version, redis: this.#redis.version });
  }

  async run(scenario: string, context: PeerContext): Promise<Figures | null> {
    const work = WORK[scenario];
    if (!work) return null;
    const redis = await startRedis(this.#redis);
    const processes = new WorkerProcesses();
    const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port: redis.port } });
    queue.on('error', (error) => context.say(`BullMQ: ${error.message}`));
    try {
      return await measure(work, context, redis, queue, processes);
    } finally {
      processes.stop();
      await queue.disconnect();
      await redis.stop();
    }
  }
}

async function measure(
  work: Work,
  { jobs, seconds, workers, say }: PeerContext,
  redis: RedisServer,
  queue: Queue,
  processes: WorkerProcesses,
): Promise<Figures> {
  const { instances, concurrency, command } = work;
  await processes.start(workers, { port: redis.port, queue: QUEUE, instances, concurrency, command });
  const put = work.by === 'schedulers' ? putSchedulers : putDelayed;
  const { firstDueMs, expected } = await put(queue, jobs, seconds);

  await sleep(firstDueMs - 500 - Date.now());
  const before = await usage(redis, processes);
  const lastDueMs = firstDueMs + (seconds - 1) * 1000;
  const giveUpAtMs = lastDueMs + DONE_WITHIN_MS;
  let spent: Figures;
  let drained: Figures = {};
  if (seconds > 1) {
    await sleep(lastDueMs + 500 - Date.now());
    spent = difference(before, await usage(redis, processes), expected.size);
  } else {
    const finishedMs = (await processes.completed(expected.size, giveUpAtMs)) - firstDueMs;
    drained = { finishedMs, perSecond: (jobs / finishedMs) * 1000 };
    spent = difference(before, await usage(redis, processes), expected.size);
  }
  const { starts, errors } = await processes.collect(expected, giveUpAtMs);
  for (const error of errors) say(`BullMQ: ${error}`);
  return { ...judgeStarts(expected, starts), ...drained, ...spent };
}

interface Expectation {
  readonly firstDueMs: number;
  /** Ids of BullMQ's jobs. */
  readonly expected: ReadonlySet<string>;
}

async function putSchedulers(queue: Queue, jobs: number, seconds: number): Promise<Expectation> {
  const names = Array.from({ length: jobs }, (_, index) => `job-${String(index).padStart(5, '0')}`);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let name = names[next++]; name !== undefined; name = names[next++])
      await queue.upsertJobScheduler(name, { pattern: '* * * * * *', tz: 'UTC' }, { name: 'firing' });
  };
  await Promise.all(Array.from({ length: SCHEDULERS_IN_FLIGHT }, lane));
  const firstDueMs = Math.ceil((Date.now() + WARM_UP_MS) / 1000) * 1000;
  const expected = new Set<string>();
  for (let second = 0; second < seconds; second += 1)
    for (const name of names) expected.add(`repeat:${name}:${firstDueMs + second * 1000}`);
  return { firstDueMs, expected };
}

/** All of them before the first is due, so that BullMQ is spared this while it is measured. */
async function putDelayed(queue: Queue, jobs: number, seconds: number): Promise<Expectation> {
  const count = jobs * seconds;
  const firstDueMs = Math.ceil((Date.now() + WARM_UP_MS + count * PUT_WITHIN_MS) / 1000) * 1000;
  const dueOf = (index: number): number => firstDueMs + Math.floor(index / jobs) * 1000;
  for (let from = 0; from < count; from += JOBS_PER_CALL) {
    const timestamp = Date.now();
    const some = Array.from({ length: Math.min(JOBS_PER_CALL, count - from) }, (_, offset) => {
      const dueMs = dueOf(from + offset);
      const opts = { jobId: `firing-${from + offset}`, timestamp, delay: dueMs - timestamp };
      return { name: 'firing', data: { dueMs }, opts };
    });
    await queue.addBulk(some);
  }
  if (Date.now() > firstDueMs) throw new Error('the delayed jobs could not be put in time');
  return { firstDueMs, expected: new Set(Array.from({ length: count }, (_, index) => `firing-${index}`)) };
}

interface Usage {
  readonly workersMs: number;
  readonly commandsMs: number;
  readonly redisMs: number;
}

async function usage(redis: RedisServer, processes: WorkerProcesses): Promise<Usage> {
  const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
  const workers = await Promise.all(processes.pids.map(processTimes));
  return {
    workersMs: sum(workers.map((times) => times?.ownMs ?? NaN)),
    commandsMs: sum(workers.map((times) => times?.childrenMs ?? NaN)),
    redisMs: (await processTimes(redis.pid))?.ownMs ?? NaN,
  };
}

function difference(before: Usage, after: Usage, firings: number): Figures {
  const all = {
    workerCpuMs: (after.workersMs - before.workersMs) / firings,
    commandCpuMs: (after.commandsMs - before.commandsMs) / firings,
    redisCpuMs: (after.redisMs - before.redisMs) / firings,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => Number.isFinite(value)));
}

interface Collected {
  readonly starts: readonly StartNote[];
  readonly errors: readonly string[];
}

class WorkerProcesses {
  #children: ChildProcess[] = [];

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  async start(count: number, order: BullmqOrder): Promise<void> {
    this.#children = Array.from({ length: count }, () => fork(WORKER_PROGRAM, { serialization: 'advanced' }));
    await this.#ask({ type: 'start', order });
  }

  /** Waits for so many completed runs; returns when the last one was acknowledged (wall clock, ms). */
  async completed(count: number, giveUpAtMs: number): Promise<number> {
    for (;;) {
      const reports = await this.#ask({ type: 'progress' });
      const completed = reports.reduce((sum, report) => sum + report.completed, 0);
      if (completed >= count || Date.now() > giveUpAtMs)
        return Math.max(...reports.map(({ lastCompletedMs }) => lastCompletedMs));
      await sleep(POLL_MS);
    }
  }

  /** All starts so far, when all expected ones are among them, none has come for a while, or `giveUpAtMs` (wall clock) has passed. */
  async collect(expected: ReadonlySet<string>, giveUpAtMs: number): Promise<Collected> {
    const starts: StartNote[] = [];
    const missing = new Set(expected);
    let newsAtMs = Date.now();
    for (;;) {
      const reports = await this.#ask({ type: 'report' });
      for (const start of reports.flatMap((report) => report.starts)) {
        if (missing.delete(start.id)) newsAtMs = Date.now();
        starts.push(start);
      }
      if (missing.size === 0 || Date.now() > Math.min(giveUpAtMs, newsAtMs + QUIET_MS))
        return { starts, errors: [...new Set(reports.flatMap(({ errors }) => errors))] };
      await sleep(COLLECT_EVERY_MS);
    }
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #ask(message: ToWorker): Promise<FromWorker[]> {
    return Promise.all(this.#children.map((child) => ask(child, message)));
  }
}

/** Rejects when the process ends before it answers. */
function ask(child: ChildProcess, message: ToWorker): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error('a worker process of BullMQ ended'));
    child.once('exit', ended);
    child.once('message', (answer: FromWorker) => {
      child.off('exit', ended);
      resolve(answer);
    });
    child.send(message);
  });
}
