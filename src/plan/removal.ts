/**
 * `removeAfter`: the leader deletes the definition of a job that will never be due again, so much later than its last due
 * time, the count of its last run, and the end of its newest runs, whichever came last. With it go its `sets/` mark and its
 * count; its history goes by the rules for a job that is gone.
 *
 * A job waits, and is left alone, while it is paused, while a due time is to come, while any firing of it exists (a run by
 * hand, too), and until the cursor says that its definition as it stands has been planned beyond its last due time. The
 * delete compares the definition's revision: one that was edited meanwhile is judged anew.
 */
import type { Clock } from '../clock.js';
import { formatDuration } from '../duration.js';
import type { Keys } from '../etcd/keys.js';
import type { Store } from '../etcd/store.js';
import { del, modifiedAt } from '../etcd/txn.js';
import { listRuns } from '../history/history.js';
import { pauseAt, type Job } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView } from '../view/cluster-view.js';
import type { JobEntry } from '../view/job-entry.js';
import type { LeaderWriter } from './leader-writer.js';

export interface RemovalContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly writer: Pick<LeaderWriter, 'commit'>;
}

/** Records are found by due time; of so many newest ones the latest end counts. */
const RUNS_READ = 20;

export class Removal {
  readonly #context: RemovalContext;
  /** By job: not to be looked at before this time, as long as its definition is this one. */
  readonly #notBefore = new Map<string, { readonly entry: JobEntry; readonly atMs: number }>();

  /** Of all jobs those that may ask for it: the others are not looked at again until they change. */
  #candidates: Set<string> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(context: RemovalContext) {
    this.#context = context;
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#candidates = null;
  }

  /** Rejects with `NotLeaderError` or a `StoreError`. */
  async removeFinished(): Promise<void> {
    const { view, clock } = this.#context;
    for (const name of this.#notBefore.keys()) if (!view.jobs.has(name)) this.#notBefore.delete(name);
    for (const name of this.#knownCandidates()) {
      const entry = view.jobs.get(name);
      const job = entry?.job ?? null;
      if (!entry || job === null || job.removeAfterMs === null) continue;
      const known = this.#notBefore.get(name);
      if (known?.entry === entry && clock.now() < known.atMs) continue;
      const lastMs = this.#lastMs(entry, job);
      if (lastMs !== null) await this.#consider(entry, job, job.removeAfterMs, lastMs);
    }
  }

  #knownCandidates(): Set<string> {
    const { view } = this.#context;
    if (this.#candidates !== null) return this.#candidates;
    const candidates = new Set<string>();
    const judge = (name: string): void => {
      if (view.jobs.get(name)?.kv.value.includes('removeAfter')) candidates.add(name);
      else candidates.delete(name);
    };
    for (const name of view.jobs.keys()) judge(name);
    this.#unsubscribe = view.onChange(({ jobs }) => {
      for (const name of jobs.keys()) judge(name);
    });
    return (this.#candidates = candidates);
  }

  /** When it was over, as far as its schedule and its count tell; null while it is not. */
  #lastMs(entry: JobEntry, job: Job): number | null {
    const { view, clock } = this.#context;
    const nowMs = clock.now();
    if (pauseAt(job, nowMs) !== null || view.firingsByJob.has(entry.name)) return null;
    if (entry.isDone) return entry.count?.value?.at ?? nowMs;
    const { schedule } = entry;
    const { cursor } = view;
    if (schedule === null || schedule.next(nowMs) !== null || cursor.state !== 'present') return null;
    const lastDueMs = schedule.previous(nowMs + 1) ?? 0;
    const { plannedThrough, jobsRevision } = cursor.value;
    const isPlanned = plannedThrough.due > lastDueMs && jobsRevision >= entry.modRevision;
    return isPlanned ? lastDueMs : null;
  }

  async #consider(entry: JobEntry, job: Job, removeAfterMs: number, lastMs: number): Promise<void> {
    const { store, keys, clock, view } = this.#context;
    let overMs = lastMs;
    if (clock.now() >= overMs + removeAfterMs) {
      const { entries } = await listRuns(store, keys, { job: entry.name, limit: RUNS_READ });
      for (const { record } of entries) overMs = Math.max(overMs, record?.endedAt ?? record?.recordedAt ?? 0);
    }
    const atMs = overMs + removeAfterMs;
    if (clock.now() < atMs) {
      this.#notBefore.set(entry.name, { entry, atMs });
      return;
    }
    // Reading took time.
    if (view.jobs.get(entry.name) === entry && this.#lastMs(entry, job) !== null)
      await this.#remove(entry, removeAfterMs, overMs);
  }

  async #remove({ name, modRevision }: JobEntry, removeAfterMs: number, overMs: number): Promise<void> {
    const { keys, log, writer } = this.#context;
    const result = await writer.commit({
      compare: [modifiedAt(keys.job(name), modRevision)],
      operations: [del(keys.job(name)), del(keys.setOf(name)), del(keys.count(name))],
    });
    if (!result.committed) return;
    const facts = {
      job: name,
      over: new Date(overMs).toISOString(),
      removeAfter: formatDuration(removeAfterMs),
    };
    log.info(facts, 'removed the job: it would never have been due again (removeAfter)');
  }
}
