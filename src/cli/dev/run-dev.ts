/**
 * `etcron dev`: a whole cluster on this machine, to be looked at and to be shot at.
 *
 *     job files checked → etcd → jobs applied → feed → workers → header … until a signal, or the end of etcd
 *     → workers drain → feed → etcd → summary
 *
 * Whatever was started is stopped in the opposite order, however far it came. Should this process be killed, the guards
 * of etcd and of the workers end them and the commands under way.
 */
import { EtcronError } from '../../errors.js';
import { auditedCluster } from '../audited-cluster.js';
import type { CliContext } from '../context.js';
import { loadFiles, filesError } from '../jobs/read-files.js';
import { wantsColors } from '../output.js';
import { plural } from '../../plural.js';
import { createLogger } from '../../telemetry/logger.js';
import type { JobChange } from '../../jobs/index.js';
import { applyJobs } from './apply-jobs.js';
import { ClusterFeed } from './cluster-feed.js';
import { existingCluster, ownCluster, type DevCluster } from './dev-cluster.js';
import type { FeedEvent } from './feed-event.js';
import { FeedPrinter } from './feed-printer.js';
import { formatHeading } from './format-feed.js';
import { formatHeader } from './header.js';
import { findPagePorts } from './page-ports.js';
import { StopRequests } from './stop-requests.js';
import { Tally } from './tally.js';
import { WorkerLog } from './worker-log.js';
import { WorkerPool } from './worker-pool.js';
import { startWorkerProcess, type WorkerExit, type WorkerProcess } from './worker-process.js';

export interface DevOptions {
  readonly workers: number;
  readonly file?: readonly string[];
  readonly dataDir?: string;
  readonly log?: string;
  readonly replace: boolean;
  /** ms */
  readonly replaceAfter: number;
  readonly color: boolean;
}

/** Resolves after an orderly end; rejects with what made it impossible to start or to go on. */
export async function runDev(context: CliContext, options: DevOptions): Promise<void> {
  const files = await loadFiles(context, options.file ?? []);
  if (files.problems.length > 0) throw filesError(files.problems);
  if (options.dataDir !== undefined && context.options.endpoints !== undefined) {
    throw new EtcronError(
      'ETCRON_USAGE',
      '--data-dir is for an etcd of our own; --endpoints names another one',
      {
        hint: 'Give one of the two.',
      },
    );
  }
  const { stdout, env } = context.environment;
  const colors = options.color && wantsColors(stdout, env);
  const printer = new FeedPrinter(stdout, colors, options.log);
  const session = new DevSession(context, options, printer);
  try {
    await session.run(async (cluster) =>
      // Somebody's change as well.
      describeChanges(await applyJobs(auditedCluster(cluster, context.clock), files), options.file ?? []),
    );
  } finally {
    printer.close();
  }
}

class DevSession {
  readonly #context: CliContext;
  readonly #options: DevOptions;
  readonly #printer: FeedPrinter;
  readonly #requests: StopRequests;
  readonly #tally: Tally;
  readonly #workerLog = new WorkerLog();
  /** Pids of workers that have been seen in etcd. */
  readonly #joined = new Set<number>();
  #pool: WorkerPool | null = null;
  #stopping = false;
  #fail!: (error: EtcronError) => void;
  readonly #failed: Promise<never>;

  constructor(context: CliContext, options: DevOptions, printer: FeedPrinter) {
    this.#context = context;
    this.#options = options;
    this.#printer = printer;
    this.#tally = new Tally(context.clock.now());
    const { stdout } = context.environment;
    const ours = stdout === process.stdout ? process.stdout : null;
    this.#requests = new StopRequests(context.clock, ours, () => {
      printer.line('Ending everything at once.');
      void this.#pool?.endNow();
    });
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
  }

  /** `prepare` puts the jobs into etcd and says what it did. */
  async run(prepare: (cluster: DevCluster) => Promise<string>): Promise<void> {
    try {
      const cluster = await this.#openCluster();
      try {
        if (this.#requests.requested) return;
        const jobs = await prepare(cluster);
        await this.#follow(cluster, jobs);
      } finally {
        await cluster.close();
      }
      this.#printer.line(`etcron dev ended: ${this.#tally.summary()}`);
      this.#context.exitCode = this.#requests.exitCode;
    } finally {
      this.#requests.close();
    }
  }

  #openCluster(): Promise<DevCluster> {
    if (this.#context.options.endpoints !== undefined) return existingCluster(this.#context);
    return ownCluster(this.#context, this.#options.dataDir, (line) => this.#printer.line(line));
  }

  async #follow(cluster: DevCluster, jobs: string): Promise<void> {
    const { store, keys, etcd } = cluster;
    const { clock } = this.#context;
    const log = createLogger({
      level: 'warn',
      destination: { write: (line) => this.#heard('dev', line, false) },
    });
    const feed = new ClusterFeed({ store, keys, clock, log, onEvent: (event) => this.#happened(event) });
    feed.view.onChange(() => {
      for (const worker of feed.view.workers.values()) this.#joined.add(worker.value.pid);
    });
    const ports = await findPagePorts(this.#options.workers);
    const pool = this.#makePool(cluster, ports);
    this.#pool = pool;
    void etcd?.exited.then(({ code, signal }) => {
      const how = signal === null ? `exit code ${code}` : signal;
      const lines = etcd
        .lastLines()
        .slice(-5)
        .map((line) => `\n  ${line}`);
      this.#fail(
        new EtcronError(
          'ETCRON_ETCD_ENDED',
          `the embedded etcd ended (${how}). Its last words:${lines.join('')}`,
          {
            hint: 'Start again; with --data-dir it goes on where it stopped.',
          },
        ),
      );
    });
    try {
      await feed.start();
      await pool.start();
      this.#printHeader(cluster, feed, jobs, ports[0]);
      await Promise.race([this.#requests.first, this.#failed]);
      this.#stopping = true;
      this.#printer.line(stoppingLine(feed, clock.now()));
      await Promise.race([pool.stop(), this.#failed]);
    } finally {
      this.#stopping = true;
      // Nothing is left to end after a drain; after a failure there is no point in waiting for one.
      await pool.endNow();
      await feed.stop();
    }
  }

  /** Each worker has a port of its own, and so has whoever takes its place: a page that is open finds it again. */
  #makePool({ workerFlags, workerEnv, logDir }: DevCluster, ports: readonly number[]): WorkerPool {
    const { workers, replace, replaceAfter } = this.#options;
    const names = Array.from({ length: workers }, (_, index) => `w-${index + 1}`);
    const listenFlags = (name: string): string[] => {
      const port = ports[names.indexOf(name)];
      return ['--listen', port === undefined ? 'off' : `127.0.0.1:${port}`];
    };
    const { clock } = this.#context;
    const replaceInMs = replace ? replaceAfter : null;
    return new WorkerPool({
      names,
      replaceAfterMs: replaceInMs,
      clock,
      startWorker: (name) =>
        startWorkerProcess({
          ...{ name, flags: [...workerFlags, ...listenFlags(name)], env: workerEnv, logDir },
          onLine: (line, isError) => this.#heard(name, line, isError),
        }),
      onDied: (worker, exit) => this.#died(worker, exit, replaceInMs),
      onReplaced: ({ name, pid }) =>
        this.#happened({ kind: 'process-replaced', atMs: clock.now(), name, pid }),
      onProblem: (name, text) =>
        this.#happened({ kind: 'log', atMs: clock.now(), name, level: 'error', text }),
    });
  }

  #printHeader(cluster: DevCluster, feed: ClusterFeed, applied: string, port: number | undefined): void {
    const { etcd, endpoints, keys, etcdctl, logDir } = cluster;
    const broken = [...feed.view.jobs.values()].filter(({ problems }) => problems.length > 0).length;
    const jobs = `${plural(feed.view.jobs.size, 'job')}${applied}${broken > 0 ? `, ${broken} broken` : ''}`;
    const facts = {
      ...{ endpoints, etcdctl, logDir, jobs, prefix: keys.prefix },
      etcdVersion: etcd?.version ?? null,
      page: port === undefined ? null : `http://127.0.0.1:${port}`,
      dataDir: this.#options.dataDir === undefined ? null : (etcd?.dataDir ?? null),
      workers: this.#pool?.workers ?? [],
    };
    this.#printer.lines((style) => [...formatHeader(facts, style.colors), formatHeading(style)]);
  }

  #died(worker: WorkerProcess, exit: WorkerExit, replaceInMs: number | null): void {
    const { name, pid } = worker;
    const how = exit.signal === null ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
    const atMs = this.#context.clock.now();
    this.#happened({ kind: 'process-died', atMs, name, pid, how, replaceInMs });
    // A program that cannot work will not work the next time either.
    if (exit.signal === null && exit.code !== 0 && !this.#joined.has(pid)) {
      this.#fail(
        new EtcronError(
          'ETCRON_WORKER_START',
          `worker ${name} ended before it could start its work: ${how}`,
          {
            hint: 'The lines above say why.',
          },
        ),
      );
    }
  }

  #heard(name: string, line: string, isError: boolean): void {
    const event = this.#workerLog.read(name, line, isError, this.#context.clock.now());
    if (event !== null) this.#happened(event);
  }

  #happened(event: FeedEvent): void {
    // While everything stops, workers come and go and hand the leadership around: no news.
    if (this.#stopping && (event.kind === 'leader' || event.kind === 'worker')) return;
    this.#tally.add(event);
    this.#printer.event(event);
  }
}

/** ` (2 created, 1 updated, 3 unchanged from a.yaml, b.yaml)`, or nothing without files. */
function describeChanges(changes: readonly JobChange[], files: readonly string[]): string {
  if (files.length === 0) return '';
  const count = (kind: JobChange['kind']): number => changes.filter((change) => change.kind === kind).length;
  const parts = (['create', 'update', 'unchanged'] as const).flatMap((kind) => {
    const word = kind === 'unchanged' ? kind : `${kind}d`;
    return count(kind) === 0 ? [] : [`${count(kind)} ${word}`];
  });
  return ` (${parts.join(', ') || 'none'} from ${files.join(', ')})`;
}

function stoppingLine({ view }: ClusterFeed, nowMs: number): string {
  const running = [...view.firings.values()].filter(
    ({ id, value }) => value.node !== null && id.dueMs <= nowMs,
  );
  const names = [...new Set(running.map(({ id }) => id.job))];
  const wait =
    running.length === 0
      ? ''
      : `; waiting for ${plural(running.length, 'run')} of ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
  return `Stopping: the workers drain${wait}. A second Ctrl-C ends everything at once.`;
}
