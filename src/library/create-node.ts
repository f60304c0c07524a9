/** A worker node inside another program: no signal handlers, no exit, nothing left after a stop. */
import { hostname } from 'node:os';
import { systemClock, type Clock } from '../clock.js';
import type { AttemptFacts } from '../claim/run-observer.js';
import { EtcronError } from '../errors.js';
import { connect } from '../etcd/connect.js';
import type { ConnectionOptions } from '../etcd/connection-options.js';
import { formatRunId, Keys } from '../etcd/keys.js';
import { singleKey, type Store } from '../etcd/store.js';
import { quote } from '../jobs/index.js';
import { Node } from '../node/node.js';
import type { NodeMeasurement } from '../node/measure.js';
import { joinObservers, type NodeObserver } from '../node/node-observer.js';
import type { NodeOptions } from '../node/options.js';
import { makePrepareTask, type PrepareTask } from '../run/executor.js';
import { makePrepareHandler, type HandlerHooks } from '../run/handler-task.js';
import { Launcher } from '../run/launcher/launcher.js';
import { OutputKeeper } from '../run/output/output-keeper.js';
import { Watchdog } from '../run/watchdog/watchdog.js';
import type { WorkerWatch } from '../run/watchdog/worker-watch.js';
import type { Logger } from '../telemetry/logger.js';
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.js';
import { packageVersion } from '../version.js';
import { JobEntry } from '../view/job-entry.js';
import { requestRun } from '../view/request-run.js';
import { checkPayload } from './define-job.js';
import {
  NodeEventSource,
  type NodeEventListener,
  type NodeEventName,
  type RunEvent,
  type RunIgnoredEndEvent,
} from './node-events.js';
import {
  resolveConnection,
  resolveOptions,
  type CreateNodeOptions,
  type ResolvedOptions,
} from './options.js';
import { syncJobs } from './sync-jobs.js';

/** A run that goes on on this node. */
export interface ActiveRun extends RunEvent {
  readonly startedAt: Date;
  /** What its handler said last; null when it said nothing. */
  readonly progress: number | string | null;
}

/** How a node is stopped. */
export interface StopOptions {
  /** How long runs may still take before they are ended, ms; default: the node's `drainGrace`. */
  readonly graceMs?: number;
}

/** What a node works on and with; tests put other things in its place. */
export interface NodeEnvironment {
  readonly clock: Clock;
  readonly random: () => number;
  /** Opens the connection. */
  readonly open: () => Promise<OpenNode>;
  /** What runs a task, given what runs handlers, what starts commands and what keeps output. */
  readonly prepareTask: (
    prepareHandler: ReturnType<typeof makePrepareHandler>,
    launcher: Launcher | undefined,
    output: OutputKeeper | undefined,
  ) => PrepareTask;
  readonly nodeOptions?: Partial<NodeOptions>;
  readonly handlerHooks?: Pick<HandlerHooks, 'onSleep'>;
}

export interface OpenNode {
  readonly store: Store;
  readonly keys: Keys;
  readonly watchdog: (WorkerWatch & { start(): Promise<void>; stop(): Promise<void> }) | null;
  /** Starts with the first command that is claimed: a node that only has handlers never needs it. */
  readonly launcher?: Launcher;
  /** Keeps the whole output of runs. */
  readonly output?: OutputKeeper | undefined;
}

interface StartedAttempt {
  readonly attempt: AttemptFacts;
  readonly startedAtMs: number;
  progress: ActiveRun['progress'];
}

/** A worker of the cluster, and a candidate for leading it, in this process. Made by {@link createNode}. */
export class EtcronNode {
  readonly #options: ResolvedOptions;
  readonly #environment: NodeEnvironment;
  readonly #events: NodeEventSource;
  readonly #log: Logger;
  readonly #active = new Map<string, StartedAttempt>();
  #node: Node | null = null;
  #metrics: WorkerMetrics | null = null;
  #open: OpenNode | null = null;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  /** @internal */
  constructor(options: ResolvedOptions, environment: NodeEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#log = options.log;
    this.#events = new NodeEventSource(options.log);
  }

  /** The worker's name. */
  get name(): string {
    return this.#options.node.name;
  }

  /** Of its present life; null before the start, after the stop, and while it has no lease. */
  get nodeId(): string | null {
    return this.#node?.nodeId ?? null;
  }

  /** It plans the firings of all just now. */
  get isLeader(): boolean {
    return this.#node?.isLeader() ?? false;
  }

  /**
   * Connects, writes the jobs of the code to etcd, and takes up work. Once; a second call gives the same promise. After a
   * failure nothing is left behind, and a new node can be made.
   *
   * Rejects with ETCRON_ETCD_UNREACHABLE and the like when etcd does not answer, with ETCRON_SET_CONFLICT when another set of
   * jobs manages one of these, and with ETCRON_JOB_INVALID when the payload of a job is not what its handler takes.
   */
  start(): Promise<void> {
    if (this.#stopping !== null)
      return Promise.reject(
        new EtcronError('ETCRON_USAGE', 'a node that was stopped cannot be started again', {
          hint: 'Make a new one with createNode.',
        }),
      );
    return (this.#starting ??= this.#start());
  }

  /**
   * Drains: hands the office over, claims no more, gives back what has not started, waits for what runs, and ends what runs
   * longer than the grace, so that other workers go on with it. Idempotent, never rejects, and possible at any time. A
   * handler that does not listen to its signal cannot be ended: it is left alone, and said so in the log.
   */
  stop({ graceMs }: StopOptions = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(graceMs));
  }

  /**
   * Asks for a run of a job now, whatever its schedule says; any worker may take it. Resolves with the id of the run.
   * Rejects with ETCRON_JOB_NOT_FOUND, ETCRON_JOB_INVALID, or an error of etcd.
   */
  async run(job: string): Promise<string> {
    const open = this.#open;
    if (open === null)
      throw new EtcronError('ETCRON_USAGE', 'the node is not running', { hint: 'Call start() first.' });
    const find = async (): Promise<JobEntry> => {
      const [kv] = (await open.store.range(singleKey(open.keys.job(job)))).kvs;
      const entry = kv && new JobEntry(job, kv);
      if (!entry) throw new EtcronError('ETCRON_JOB_NOT_FOUND', `there is no job ${quote(job)}`);
      if (entry.job === null)
        throw new EtcronError('ETCRON_JOB_INVALID', `${quote(job)} is broken and cannot be run`, {
          details: { problems: entry.problems },
        });
      return entry;
    };
    const { clock } = this.#environment;
    return formatRunId(
      await requestRun(open, job, find, { by: `${this.name} (library)`, now: () => clock.now() }),
    );
  }

  /** The runs that go on on this node. */
  runs(): ActiveRun[] {
    return Array.from(this.#active.values(), ({ attempt, startedAtMs, progress }) => ({
      ...runEvent(attempt),
      startedAt: new Date(startedAtMs),
      progress,
    }));
  }

  /** Calls `listener` with each event of this name. */
  on<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): this {
    this.#events.on(name, listener);
    return this;
  }

  /** Calls `listener` with the next event of this name. */
  once<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): this {
    this.#events.once(name, listener);
    return this;
  }

  /** Ends what `on` or `once` began. */
  off<Name extends NodeEventName>(name: Name, listener: NodeEventListener<Name>): this {
    this.#events.off(name, listener);
    return this;
  }

  /** Makes a leader plan at once, for tests whose leaders plan seldom.
   * @internal */
  planNow(): void {
    this.#node?.planNow();
  }

  async #start(): Promise<void> {
    const { jobs, handlers, sync, node: nodeOptions } = this.#options;
    const { clock, random, open, prepareTask, nodeOptions: overrides } = this.#environment;
    try {
      for (const job of jobs) await checkPayload(job);
      const { store, keys, watchdog, launcher, output } = (this.#open = await open());
      if (this.#stopping === null && sync !== null && (jobs.length > 0 || sync.prune))
        await syncJobs({ store, keys }, jobs, sync, this.#log);
      const measured = await this.#measure(store, keys);
      if (this.#stopping !== null) return;
      this.#node = new Node({
        ...{ store: measured?.store ?? store, keys, clock, random, watchdog: watchdog ?? undefined },
        log: this.#log,
        prepareTask: prepareTask(makePrepareHandler(handlers, this.#handlerHooks()), launcher, output),
        observer: joinObservers(this.#observer(), measured?.observer),
        options: {
          ...nodeOptions,
          ...{ host: hostname(), pid: process.pid, version: packageVersion() },
          ...overrides,
        },
      });
      measured?.show(this.#node);
      // Not waited for: it learns of everything that has happened until it is there.
      void watchdog?.start();
      void output?.start();
      await this.#node.start();
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async #stop(graceMs: number | undefined): Promise<void> {
    await this.#node?.stop(graceMs);
    await this.#starting?.catch(() => undefined);
    // It may have been made while we waited.
    await this.#node?.stop(graceMs);
    await this.#release();
  }

  async #release(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    this.#metrics?.remove();
    this.#metrics = null;
    await open?.launcher?.stop();
    await open?.output?.stop();
    await open?.watchdog?.stop();
    await open?.store.close();
  }

  async #measure(store: Store, keys: Keys): Promise<NodeMeasurement | null> {
    const { metrics: registry, node } = this.#options;
    if (registry === null) return null;
    const { WorkerMetrics } = await import('../telemetry/metrics/worker-metrics.js');
    const { measureNode } = await import('../node/measure.js');
    this.#metrics = new WorkerMetrics({ version: packageVersion(), worker: node.name, registry });
    return measureNode(this.#metrics, { store, keys, clock: this.#environment.clock });
  }

  #handlerHooks(): HandlerHooks {
    return {
      ...this.#environment.handlerHooks,
      onProgress: (runId, progress) => {
        const run = this.#active.get(runId);
        if (run) run.progress = progress;
        this.#events.emit('runProgress', { runId, progress });
      },
      onIgnored: (runId, why) => {
        const reason = why.kind === 'timed-out' ? 'timeout' : (why.reason as RunIgnoredEndEvent['why']);
        this.#events.emit('runIgnoredEnd', { runId, why: reason });
      },
    };
  }

  #observer(): NodeObserver {
    const { clock } = this.#environment;
    const events = this.#events;
    return {
      ready: (nodeId) => events.emit('ready', { nodeId }),
      lost: (nodeId) => events.emit('lost', { nodeId }),
      elected: (nodeId) => events.emit('leader', { nodeId }),
      deposed: (nodeId, reason) => events.emit('deposed', { nodeId, reason }),
      runStarted: (attempt, latenessMs) => {
        // Thousands may start at one moment: what nobody asks for is not made.
        this.#active.set(attempt.runId, { attempt, startedAtMs: clock.now(), progress: null });
        events.tell('runStarted', () => ({ ...runEvent(attempt), latenessMs }));
      },
      runEnded: (attempt, record, next) => {
        this.#active.delete(attempt.runId);
        events.tell('runEnded', () => ({
          ...runEvent(attempt),
          outcome: record.outcome,
          reason: record.reason,
          durationMs: record.durationMs ?? 0,
          output: record.stdout?.text ?? null,
          next,
        }));
      },
    };
  }
}

/**
 * Makes a worker node for this program. It installs no signal handlers and never ends the process: call `start()` when the
 * program is up and `stop()` when it goes down.
 *
 * ```ts
 * const node = createNode({ etcd: { endpoints: ['etcd-1:2379', 'etcd-2:2379'] }, jobs: [report] });
 * node.on('runEnded', ({ job, outcome }) => metrics.count(job, outcome));
 * await node.start();
 * ```
 *
 * @throws EtcronError ETCRON_CONFIG_INVALID for an option that is wrong or unknown, and the codes of a job that is.
 */
export function createNode(options: CreateNodeOptions = {}): EtcronNode {
  const resolved = resolveOptions(options);
  return new EtcronNode(resolved, {
    clock: systemClock,
    random: Math.random,
    prepareTask: (prepareHandler, launcher, output) => makePrepareTask({ prepareHandler, launcher, output }),
    open: async () => {
      const connection = await resolveConnection(options);
      const watchdog = resolved.watchdog ? makeWatchdog(connection, resolved.log) : null;
      const launcher = new Launcher({
        clock: systemClock,
        log: resolved.log,
        watchdog: watchdog ?? undefined,
        output: resolved.output ?? undefined,
      });
      const output =
        resolved.output === null
          ? undefined
          : new OutputKeeper({ settings: resolved.output, clock: systemClock, log: resolved.log });
      const keys = new Keys(connection.prefix);
      return { store: await connect(connection), keys, watchdog, launcher, output };
    },
  });
}

function runEvent({ runId, job, dueMs, attempt, fencingToken }: AttemptFacts): RunEvent {
  return { runId, job, due: new Date(dueMs), attempt, fencingToken: BigInt(fencingToken) };
}

function makeWatchdog({ endpoints, tls, credentials }: ConnectionOptions, log: Logger): Watchdog {
  const text = (pem: Buffer | null): string | null => pem && pem.toString();
  const pems = tls && { ca: text(tls.ca), cert: text(tls.cert), key: text(tls.key) };
  return new Watchdog({ clock: systemClock, log, connection: { endpoints, tls: pems, credentials } });
}
