/**
 * A worker node: mirrors, session, candidacy, claims and processes, composed under one start and stop.
 *
 *     start: mirrors listed → session → registered → candidate and racer
 *     lease gone: that life ends (its `rerun` processes are killed before), a new one begins with a new node id, for ever
 *     stop (drain): leadership handed over, no more claims, unstarted claims given back → running commands may finish
 *                   within the grace → the rest is ended and handed to other workers → lease revoked
 */
import { setMaxListeners } from 'node:events';
import { Backoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { Executions } from '../claim/executions.js';
import type { ExecutionContext } from '../claim/execution.js';
import type { Keys } from '../etcd/keys.js';
import { Mirror } from '../etcd/mirror.js';
import type { Store } from '../etcd/store.js';
import { Standby } from '../plan/standby.js';
import type { WorkerWatch } from '../run/watchdog/worker-watch.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import { ClusterView } from '../view/cluster-view.js';
import { BrokenJobs } from './broken-jobs.js';
import { ClockGuard } from './clock-guard.js';
import { Incarnation } from './incarnation.js';
import type { NodeObserver } from './node-observer.js';
import type { NodeOptions } from './options.js';
import type { UnderPolicy } from './own-fitness.js';

/** How a node is, at one moment. */
export interface NodeVitals {
  readonly isLeader: boolean;
  /** Claimed firings, those of them that run, and the room that they take of the capacity. */
  readonly held: number;
  readonly running: number;
  readonly load: number;
  readonly capacity: number;
  /** For how much longer the lease may be relied upon, ms; 0 without one. */
  readonly trustRemainingMs: number;
  readonly leaseTtlMs: number;
  readonly clockSkewMs: number | null;
  /** The clock guard's verdict. */
  readonly isClockRight: boolean;
  /** Whether the watches are live. */
  readonly connected: { readonly schedule: boolean; readonly workers: boolean };
  readonly brokenJobs: number;
  /** On the leader; of the others it is not known. */
  readonly unplaceableJobs: readonly string[];
}

export interface NodeContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly prepareTask: ExecutionContext['prepareTask'];
  /** Started and stopped by whoever made it. */
  readonly watchdog?: WorkerWatch | undefined;
  readonly observer?: NodeObserver | undefined;
  readonly options: NodeOptions;
}

/** Beyond the graces, how long a stop waits for results to be written before it leaves them to the lease's end. */
const LAST_WRITES_MS = 5_000;

export class Node implements Service {
  readonly #context: NodeContext;
  readonly #mirrors: Mirror[];
  readonly #view: ClusterView;
  readonly #standby: Standby;
  readonly #brokenJobs: BrokenJobs;
  readonly #executions: Executions;
  readonly #clockGuard: ClockGuard;
  readonly #stopped = new AbortController();
  #life: Incarnation | null = null;
  #api: string | null = null;
  #underPolicy: UnderPolicy;
  #starting: Promise<void> | null = null;
  #living: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(context: NodeContext) {
    const { store, keys, clock, random, log, prepareTask, watchdog, observer, options } = context;
    this.#context = context;
    this.#underPolicy = { labels: options.labels, policy: options.policy };
    setMaxListeners(0, this.#stopped.signal);
    const { compareIntervalMs } = options;
    const mirrored = {
      clock,
      log,
      random,
      ...(compareIntervalMs === undefined ? {} : { compareIntervalMs }),
    };
    const main = new Mirror(store, keys.mirrored, { ...mirrored, name: 'schedule' });
    const workers = new Mirror(store, keys.mirroredWorkers, { ...mirrored, name: 'workers' });
    this.#mirrors = [main, workers];
    this.#view = new ClusterView(keys, main, workers, ({ key, problem }) => {
      log.warn({ key, problem }, 'a value in etcd was not written by etcron or is damaged; it is ignored');
    });
    this.#standby = new Standby(this.#view, clock);
    this.#clockGuard = new ClockGuard(clock, options.name, options.maxClockSkewMs);
    this.#brokenJobs = new BrokenJobs({ clock, log, view: this.#view });
    this.#executions = new Executions(
      {
        ...{ store, keys, clock, random, log, prepareTask, watchdog, observer },
        worker: options.name,
        killGraceMs: options.killGraceMs,
        maxCrashes: options.maxCrashes,
        stopped: this.#stopped.signal,
      },
      this.#view,
      (runId) => this.#life?.roomFreed(runId),
    );
  }

  get view(): ClusterView {
    return this.#view;
  }

  /** Of the present life; null between two. */
  get nodeId(): string | null {
    return this.#life?.nodeId ?? null;
  }

  isLeader(): boolean {
    return this.#life?.isLeader() ?? false;
  }

  /** How far this node's clock is ahead of the median of all, ms (negative: behind); null while too few are known. */
  get clockSkewMs(): number | null {
    return this.#clockGuard.skewMs();
  }

  /** Claimed and running firings of this process. */
  get load(): { held: number; running: number; capacity: number } {
    const { size, running } = this.#executions;
    return { held: size, running, capacity: this.#context.options.capacity };
  }

  get vitals(): NodeVitals {
    const { options } = this.#context;
    const [schedule, workers] = this.#mirrors.map((mirror) => mirror.connected);
    return {
      isLeader: this.isLeader(),
      ...{ held: this.#executions.size, running: this.#executions.running, load: this.#executions.weight },
      capacity: options.capacity,
      trustRemainingMs: this.#life?.trustRemainingMs ?? 0,
      leaseTtlMs: options.leaseTtlMs,
      clockSkewMs: this.#clockGuard.skewMs(),
      isClockRight: this.#clockGuard.isRight(),
      connected: { schedule: schedule === true, workers: workers === true },
      brokenJobs: this.#brokenJobs.count,
      unplaceableJobs: [...(this.#life?.unplaceableJobs ?? [])],
    };
  }

  /** What it may run, and its labels, from now on; what runs already goes on. */
  changePolicy(underPolicy: UnderPolicy): void {
    this.#underPolicy = underPolicy;
    this.#life?.policyChanged();
  }

  /** Tells the others where the HTTP API of this worker is; null: it has none. */
  announceApi(url: string | null): void {
    this.#api = url;
    this.#life?.announce();
  }

  /** Where this node leads, it plans now, instead of after the stride. */
  planNow(): void {
    this.#life?.planNow();
  }

  async start(): Promise<void> {
    if (this.#stopping) return;
    try {
      await (this.#starting = this.#start());
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    for (const mirror of this.#mirrors) if (!this.#isStopped()) await mirror.start();
    if (!this.#isStopped()) await this.#begin();
  }

  /** Drains; see the header. `graceMs` overrides the configured grace for running commands. */
  stop(graceMs: number = this.#context.options.drainGraceMs): Promise<void> {
    return (this.#stopping ??= this.#drain(graceMs));
  }

  #isStopped(): boolean {
    return this.#stopping !== null;
  }

  async #begin(): Promise<void> {
    const { store, keys, clock, random, log, watchdog, observer, options } = this.#context;
    const life = await Incarnation.begin({
      ...{ store, keys, clock, random, log, watchdog, options },
      observer,
      view: this.#view,
      standby: this.#standby,
      executions: this.#executions,
      clockGuard: this.#clockGuard,
      api: () => this.#api,
      underPolicy: () => this.#underPolicy,
      stopped: this.#stopped.signal,
      onEnded: (nodeId) => {
        observer?.lost?.(nodeId);
        this.#beginAgain();
      },
    });
    this.#life = life;
    if (this.#isStopped()) await this.#endLife(true);
    else if (life.isOver) this.#beginAgain();
    else observer?.ready?.(life.nodeId);
  }

  #beginAgain(): void {
    this.#living ??= this.#rebirth().finally(() => {
      this.#living = null;
      if (this.#life?.isOver && !this.#isStopped()) this.#beginAgain();
    });
  }

  async #rebirth(): Promise<void> {
    const { clock, random, log } = this.#context;
    const backoff = new Backoff(200, 5_000, random);
    while (!this.#isStopped() && (this.#life === null || this.#life.isOver)) {
      try {
        await this.#endLife(false);
        await this.#begin();
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'could not open a new session; trying again');
        await sleep(clock, backoff.nextMs(), this.#stopped.signal).catch(() => undefined);
      }
    }
  }

  async #endLife(revoke: boolean): Promise<void> {
    const life = this.#life;
    this.#life = null;
    await life?.end(revoke);
  }

  async #drain(graceMs: number): Promise<void> {
    const { log, options } = this.#context;
    if (this.#life) log.info({ node: this.nodeId, running: this.#executions.running, graceMs }, 'draining');
    await this.#life?.drain();
    if (this.#executions.size > 0) await this.#within(graceMs, this.#executions.settled());
    if (this.#executions.size > 0) {
      log.warn({ running: this.#executions.running }, 'the grace is over; ending what still runs');
      for (const execution of this.#executions.all()) execution.shutDown(options.killGraceMs);
      await this.#within(options.killGraceMs + LAST_WRITES_MS, this.#executions.settled());
    }
    this.#stopped.abort(new Error('the node was stopped'));
    await Promise.allSettled([this.#starting, this.#living]);
    // What cannot be ended, a handler that does not listen, is still ours while the lease lives: then it may expire.
    await this.#endLife(this.#executions.running === 0);
    this.#executions.close();
    for (const mirror of this.#mirrors) await mirror.stop();
    this.#brokenJobs.stop();
    this.#standby.stop();
    if (this.#executions.size === 0) log.info('stopped');
    else
      log.error(
        { left: this.#executions.size },
        'stopped; results that could not be written are left to recovery',
      );
  }

  /** Resolves when `work` is done, or after `limitMs`. */
  async #within(limitMs: number, work: Promise<void>): Promise<void> {
    const timeout = new AbortController();
    await Promise.race([work, sleep(this.#context.clock, limitMs, timeout.signal).catch(() => undefined)]);
    timeout.abort(new Error('done'));
  }
}
