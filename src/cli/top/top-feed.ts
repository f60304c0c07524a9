/** Follows a cluster for `etcron top`, from etcd or through a server alike. */
import type { Clock } from '../../clock.js';
import { workerNameOf } from '../../election/worker-record.js';
import type { Cluster } from '../../etcd/cluster.js';
import { formatRunId } from '../../etcd/keys.js';
import { Mirror } from '../../etcd/mirror.js';
import { listRuns } from '../../history/history.js';
import { firingState } from '../../operations/firing-state.js';
import type { Service } from '../../service.js';
import { silentLogger } from '../../telemetry/logger.js';
import { ClusterView, type WorkerEntry } from '../../view/cluster-view.js';
import { startTime } from '../../view/firing-record.js';
import type { JobEntry } from '../../view/job-entry.js';
import { loadOf } from '../../view/load.js';
import { RunTail } from '../dev/run-tail.js';
import { RecentRuns } from './recent-runs.js';
import type { TopModel, TopRun, TopWorker } from './top-model.js';

/** As many as a screen shows, and some more. */
const MAX_ROWS = 100;
/** Of the past, read at the start. */
const FIRST_RUNS = 300;
/** With more, only what is planned is shown as next: each job's schedule would have to be asked. */
const MAX_ASKED_JOBS = 5_000;

export class TopFeed implements Service {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #source: string;
  readonly #view: ClusterView;
  readonly #mirrors: readonly Mirror[];
  readonly #runs: RunTail;
  readonly #recent = new RecentRuns();
  /** While the past is read: what is known from the present already. */
  #heard: Set<string> | null = new Set();
  /** By job: its next due time, for as long as that is to come. */
  readonly #next = new Map<string, { readonly entry: JobEntry; readonly dueMs: number | null }>();

  constructor(cluster: Cluster, clock: Clock, source: string) {
    const { store, keys } = cluster;
    const options = { clock, log: silentLogger() };
    this.#cluster = cluster;
    this.#clock = clock;
    this.#source = source;
    const main = new Mirror(store, keys.mirrored, { ...options, name: 'schedule' });
    const workers = new Mirror(store, keys.mirroredWorkers, { ...options, name: 'workers' });
    this.#mirrors = [main, workers];
    this.#view = new ClusterView(keys, main, workers, () => undefined);
    this.#runs = new RunTail({
      ...{ store, keys, clock },
      onRecord: (id, record, isNew) => {
        if (!isNew) return;
        this.#heard?.add(formatRunId(id));
        this.#recent.add(id, record);
      },
      onGap: () => undefined,
    });
  }

  async start(): Promise<void> {
    const { store, keys } = this.#cluster;
    try {
      await this.#runs.start();
      for (const mirror of this.#mirrors) await mirror.start();
      const { entries } = await listRuns(store, keys, { limit: FIRST_RUNS });
      for (const { id, runId, record } of entries)
        if (record && !this.#heard?.has(runId)) this.#recent.add(id, record);
      this.#heard = null;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#runs.stop(), ...this.#mirrors.map((mirror) => mirror.stop())]);
  }

  /** How it is now. */
  model(): TopModel {
    const nowMs = this.#clock.now();
    const { leader, workers, jobs, firings } = this.#view;
    const counts = { planned: 0, running: 0, late: 0, queued: 0, retrying: 0 };
    const running: TopRun[] = [];
    const next: { runId: string; dueMs: number }[] = [];
    for (const firing of firings.values()) {
      const { runId, id, value } = firing;
      switch (firingState(firing, workers, nowMs)) {
        case 'running':
          counts.running += 1;
          running.push({
            ...{ runId, attempt: value.attempt, sinceMs: startTime(firing) },
            worker: workerNameOf(value.node ?? ''),
          });
          break;
        case 'planned':
        case 'claimed':
          counts.planned += 1;
          if (value.only === null) next.push({ runId, dueMs: id.dueMs });
          break;
        case 'late':
        case 'orphaned':
          counts.late += 1;
          break;
        case 'queued':
          counts.queued += 1;
          break;
        case 'waiting':
          counts.retrying += 1;
          break;
        case 'expanded':
      }
    }
    return {
      ...{ nowMs, source: this.#source, counts },
      isLive: this.#mirrors.every(({ connected }) => connected),
      leader:
        leader.state === 'present' ? { nodeId: leader.value.nodeId, sinceMs: leader.value.since } : null,
      workers: [...workers.values()]
        .map((worker) => this.#worker(worker))
        .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
      jobs: { total: jobs.size, broken: this.#countBroken() },
      running: running.sort((a, b) => a.sinceMs - b.sinceMs).slice(0, MAX_ROWS),
      next: this.#withUnplanned(next, nowMs),
      minutes: this.#recent.minutes(nowMs),
      failures: this.#recent.failures,
    };
  }

  #worker({ nodeId, value }: WorkerEntry): TopWorker {
    const { name, state, skewed, capacity } = value;
    const load = loadOf(this.#view, nodeId);
    const isDrained = state === 'draining' && load === 0 && this.#view.drains.has(name);
    const shown = isDrained ? 'drained' : state === 'active' && skewed ? 'clock off' : state;
    return { name, nodeId, state: shown, load, capacity };
  }

  /** What parses badly; asked of few only, since each has to be parsed. */
  #countBroken(): number {
    const { jobs } = this.#view;
    if (jobs.size > MAX_ASKED_JOBS) return 0;
    return [...jobs.values()].filter(({ job }) => job === null).length;
  }

  /** Beside what is planned, which is little ahead: what jobs that are not planned yet are due for. */
  #withUnplanned(planned: TopModel['next'], nowMs: number): TopModel['next'] {
    const { jobs, firingsByJob } = this.#view;
    const unplanned = [];
    for (const name of this.#next.keys()) if (!jobs.has(name)) this.#next.delete(name);
    if (jobs.size <= MAX_ASKED_JOBS) {
      for (const entry of jobs.values()) {
        if (planned.length > 0 && firingsByJob.has(entry.name)) continue;
        const dueMs = this.#nextOf(entry, nowMs);
        if (dueMs !== null)
          unplanned.push({ runId: formatRunId({ job: entry.name, dueMs, suffix: null }), dueMs });
      }
    }
    return [...planned, ...unplanned].sort((a, b) => a.dueMs - b.dueMs).slice(0, MAX_ROWS);
  }

  #nextOf(entry: JobEntry, nowMs: number): number | null {
    const known = this.#next.get(entry.name);
    if (known?.entry === entry && (known.dueMs === null || known.dueMs > nowMs)) return known.dueMs;
    const dueMs = entry.schedule?.next(nowMs) ?? null;
    this.#next.set(entry.name, { entry, dueMs });
    return dueMs;
  }
}
