/**
 * Watches a cluster and tells what happens in it, from etcd alone: it sees what any worker anywhere under the prefix does,
 * and needs nothing of their output. What was there when it started is no news.
 */
import type { Clock, Timer } from '../../clock.js';
import { workerNameOf } from '../../election/worker-record.js';
import type { FiringId, Keys } from '../../etcd/keys.js';
import { Mirror } from '../../etcd/mirror.js';
import type { Store } from '../../etcd/store.js';
import type { RunRecord } from '../../history/run-record.js';
import { formatProblem, isPausedForGood, scheduleText } from '../../jobs/index.js';
import type { Service } from '../../service.js';
import type { Logger } from '../../telemetry/logger.js';
import {
  ClusterView,
  type FiringEntry,
  type ViewChanges,
  type WorkerEntry,
} from '../../view/cluster-view.js';
import type { JobEntry } from '../../view/job-entry.js';
import type { FeedEvent } from './feed-event.js';
import { RunTail } from './run-tail.js';

export interface ClusterFeedContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: FeedEvent) => void;
}

/** A run that goes on for longer is worth a line before it ends. */
const LONG_RUN_MS = 2_000;

export class ClusterFeed implements Service {
  readonly view: ClusterView;
  readonly #context: ClusterFeedContext;
  readonly #mirrors: readonly Mirror[];
  readonly #runs: RunTail;
  /** For claimed firings: when to say that they have been running for a while. */
  readonly #longRuns = new Map<string, Timer>();
  #leader: { readonly nodeId: string; readonly name: string } | null = null;
  #following = false;

  constructor(context: ClusterFeedContext) {
    const { store, keys, clock, log } = context;
    this.#context = context;
    const main = new Mirror(store, keys.mirrored, { clock, log, name: 'schedule' });
    const workers = new Mirror(store, keys.mirroredWorkers, { clock, log, name: 'workers' });
    this.#mirrors = [main, workers];
    this.view = new ClusterView(keys, main, workers, ({ key, problem }) => {
      this.#tell({ kind: 'note', text: `the value of ${key} is damaged and ignored: ${problem}` });
    });
    this.view.onChange((changes) => this.#onView(changes));
    this.#runs = new RunTail({
      ...{ store, keys, clock },
      onRecord: (id, record, isNew) => this.#onRecord(id, record, isNew),
      onGap: () => this.#tell({ kind: 'note', text: 'the feed fell behind; some lines are missing here' }),
    });
  }

  async start(): Promise<void> {
    try {
      await this.#runs.start();
      for (const mirror of this.#mirrors) await mirror.start();
      this.#following = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#following = false;
    for (const timer of this.#longRuns.values()) timer.cancel();
    this.#longRuns.clear();
    await Promise.all([this.#runs.stop(), ...this.#mirrors.map((mirror) => mirror.stop())]);
  }

  #tell(event: Untimed<FeedEvent>): void {
    this.#context.onEvent({ ...event, atMs: this.#context.clock.now() });
  }

  #onRecord(id: FiringId, record: RunRecord, isNew: boolean): void {
    if (isNew) this.#tell({ kind: 'ended', id, record });
    else if (record.late !== null)
      this.#tell({ kind: 'late-result', id, worker: record.worker ?? '', outcome: record.late.outcome });
  }

  #onView(changes: ViewChanges): void {
    if (changes.leader) this.#leaderChanged();
    for (const [nodeId, before] of changes.workers) if (this.#following) this.#workerChanged(nodeId, before);
    for (const [name, before] of changes.jobs) if (this.#following) this.#jobChanged(name, before);
    for (const [runId, before] of changes.firings) this.#firingChanged(runId, before);
  }

  #leaderChanged(): void {
    const { leader } = this.view;
    if (leader.state !== 'present' || leader.value.nodeId === this.#leader?.nodeId) return;
    const { nodeId, name } = leader.value;
    const before = this.#leader?.name ?? null;
    this.#leader = { nodeId, name };
    if (this.#following) this.#tell({ kind: 'leader', name, before });
  }

  #workerChanged(nodeId: string, before: WorkerEntry | undefined): void {
    const after = this.view.workers.get(nodeId);
    const worker = (after ?? before)?.value;
    if (worker === undefined) return;
    const tell = (change: Extract<FeedEvent, { kind: 'worker' }>['change']): void => {
      this.#tell({ kind: 'worker', name: worker.name, pid: worker.pid, change });
    };
    if (!after) tell(before?.value.state === 'draining' ? 'left' : 'gone');
    else if (!before) tell('joined');
    else if (before.value.state === 'active' && after.value.state === 'draining') tell('draining');
  }

  #jobChanged(name: string, before: JobEntry | undefined): void {
    const after = this.view.jobs.get(name);
    if (!after) return this.#tell({ kind: 'job', name, change: 'deleted', detail: '' });
    // Its runs were counted.
    if (after.modRevision === before?.modRevision) return;
    const [problem] = after.problems;
    if (problem) return this.#tell({ kind: 'job', name, change: 'broken', detail: formatProblem(problem) });
    const detail =
      after.job === null ? '' : isPausedForGood(after.job) ? 'paused' : scheduleText(after.job.schedule);
    this.#tell({ kind: 'job', name, change: before ? 'changed' : 'added', detail });
  }

  #firingChanged(runId: string, beforeEntry: FiringEntry | undefined): void {
    const entry = this.view.firings.get(runId);
    const before = beforeEntry?.value;
    const after = entry?.value;
    if (after?.node === before?.node && after?.attempt === before?.attempt) return;
    this.#longRuns.get(runId)?.cancel();
    this.#longRuns.delete(runId);
    if (!entry || !after) return;
    const { id } = entry;
    if (after.node !== null) {
      const worker = workerNameOf(after.node);
      const { attempt } = after;
      if (this.#following && before?.node && after.crashes > before.crashes) {
        this.#tell({ kind: 'recovered', id, worker, attempt, from: workerNameOf(before.node) });
      }
      this.#awaitLongRun(entry, worker);
    } else if (this.#following && before?.node && after.attempt === before.attempt) {
      // A lower attempt would be a claim that was returned before it started: nothing happened.
      const facts = { id, worker: workerNameOf(before.node), attempt: after.attempt };
      if (after.notBefore !== null) {
        this.#tell({ kind: 'retry', ...facts, attempt: after.attempt + 1, notBeforeMs: after.notBefore });
      } else
        this.#tell({
          kind: 'released',
          ...facts,
          why: after.crashes > before.crashes ? 'lease' : 'shutdown',
        });
    }
  }

  #awaitLongRun({ runId, id, value }: FiringEntry, worker: string): void {
    const { clock } = this.#context;
    const startMs = Math.max(id.dueMs, value.notBefore ?? id.dueMs, clock.now());
    const timer = clock.setTimer(startMs + LONG_RUN_MS - clock.now(), () => {
      this.#longRuns.delete(runId);
      this.#tell({ kind: 'started', id, worker, attempt: value.attempt });
    });
    this.#longRuns.set(runId, timer);
  }
}

type Untimed<E> = E extends unknown ? Omit<E, 'atMs'> : never;
