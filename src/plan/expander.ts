/**
 * Jobs that run everywhere: the leader expands each of their firings into one for every worker that fits, as soon as it
 * is planned, and ends it when the last of them has ended.
 *
 *     planned ──expanded (children put, marked with their number)──▶ expanded ──all children ended──▶ run record
 *        └─ no worker fits: stays as it is, and goes through the misfire policy like any other
 *
 * The firing itself keeps its place, and so all that the planner knows of due times stays true: it, or its record, accounts
 * for the due time. It is never claimed. Its children are claimed like other firings, but by their one worker only, and
 * have records of their own.
 *
 * What only the leader can end: a child whose worker did not come (back). One that never started is `missed` after the
 * time in which any firing must start; one that did (its worker died, or is away when a retry is due) is `lost` after a
 * minute: a restarted worker takes it up again, a scrapped one never will.
 *
 * Failures
 * - A leader dies amid an expansion: the next one finds the firing unmarked and puts what is missing. A child is put
 *   only where neither it nor its record exists.
 * - The job is edited: firing and children are void like any planned firing; children that run go on.
 */
import { sleep, type Clock } from '../clock.js';
import { formatDuration } from '../duration.js';
import { messageOf } from '../errors.js';
import { firingFacts, formatRunId, type FiringId, type Keys } from '../etcd/keys.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange, type Store } from '../etcd/store.js';
import { encodeRecord } from '../etcd/record.js';
import { absent, del, exists, modifiedAt, put } from '../etcd/txn.js';
import { workerNameOf } from '../election/worker-record.js';
import { decodeRun, emptyRecord, encodeRun, type Outcome, type RunRecord } from '../history/run-record.js';
import type { Job } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import { fittingWorkers, whyNobody } from '../view/eligibility.js';
import { encodeFiring, startTime, type FiringRecord } from '../view/firing-record.js';
import { killRecordSchema } from '../view/kill-record.js';
import { NotLeaderError, type CommitResult, type LeaderWriter } from './leader-writer.js';
import { isTooLate } from './start-deadline.js';

export interface ExpanderContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly options: { readonly strideMs: number; readonly misfireAfterMs: number };
  readonly writer: Pick<LeaderWriter, 'commit'>;
}

/** Each brings two compares; the firing's own, its mark and the fence come on top, within etcd's limit of 128. */
const CHILDREN_PER_TXN = 50;
/** How long a child that was started waits for its worker to come back. */
const COME_BACK_MS = 60_000;

export class Expander {
  readonly #context: ExpanderContext;
  readonly #abort = new AbortController();
  /** Jobs that may have something for us: those that run everywhere, and those that did when they were planned. */
  readonly #concerned = new Set<string>();
  /** What was written about a firing stands or will be seen soon; by run id, the revision that it was written upon. */
  readonly #handled = new Map<string, number>();
  /** Since when nobody could take it, on the monotonic clock. */
  readonly #unplaceableSince = new Map<string, number>();
  #wake: (() => void) | null = null;
  #woken = false;
  #loop: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(context: ExpanderContext) {
    this.#context = context;
  }

  start(): void {
    const { view } = this.#context;
    for (const firing of view.firings.values())
      if (this.#concerns(firing)) this.#concerned.add(firing.id.job);
    this.#unsubscribe = view.onChange((changes) => this.#onView(changes));
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#abort.abort(new Error('the expander was stopped'));
    this.#wake?.();
    await this.#loop;
  }

  #concerns(firing: FiringEntry): boolean {
    const { view } = this.#context;
    return (
      isChild(firing) ||
      firing.value.expanded !== null ||
      view.jobs.get(firing.id.job)?.job?.everywhere === true
    );
  }

  #onView({ firings, workers, jobs, kills }: ViewChanges): void {
    const { view } = this.#context;
    let isNews = (workers.size > 0 || jobs.size > 0 || kills.length > 0) && this.#concerned.size > 0;
    for (const [runId, before] of firings) {
      const firing = view.firings.get(runId) ?? before;
      if (!view.firings.has(runId)) this.#handled.delete(runId);
      if (firing === undefined || !this.#concerns(firing)) continue;
      this.#concerned.add(firing.id.job);
      isNews = true;
    }
    for (const name of jobs.keys()) {
      if (view.firingsByJob.has(name) && view.jobs.get(name)?.job?.everywhere) this.#concerned.add(name);
    }
    if (!isNews) return;
    this.#woken = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { clock, log, options } = this.#context;
    while (!this.#abort.signal.aborted) {
      this.#woken = false;
      try {
        await this.pass();
      } catch (error) {
        if (!(error instanceof NotLeaderError))
          log.warn({ err: messageOf(error) }, 'could not expand firings for all workers; trying again');
      }
      if (this.#woken || this.#abort.signal.aborted) continue;
      const waking = new AbortController();
      this.#wake = () => waking.abort(new Error('woken'));
      await sleep(clock, options.strideMs, waking.signal).catch(() => undefined);
      this.#wake = null;
    }
  }

  /** Looks at all that concerns it once. Rejects with `NotLeaderError` or a `StoreError`. */
  async pass(): Promise<void> {
    const { view } = this.#context;
    for (const runId of this.#unplaceableSince.keys())
      if (!view.firings.has(runId)) this.#unplaceableSince.delete(runId);
    for (const name of [...this.#concerned]) {
      const firings = [...(view.firingsByJob.get(name)?.values() ?? [])];
      if (!firings.some((firing) => this.#concerns(firing))) this.#concerned.delete(name);
      const children = childrenByParent(firings);
      for (const firing of firings) {
        if (this.#handled.get(firing.runId) === firing.modRevision) continue;
        await this.#judge(firing, children.get(nameOf(firing.id)) ?? []);
      }
    }
  }

  async #judge(firing: FiringEntry, children: readonly FiringEntry[]): Promise<void> {
    const job = this.#context.view.jobs.get(firing.id.job)?.job ?? null;
    if (isChild(firing)) await this.#judgeChild(firing, job);
    else if (firing.value.expanded !== null) await this.#endIfOver(firing, children);
    else if (job?.everywhere && this.#isToExpand(firing)) await this.#expand(firing, job);
  }

  #isToExpand(firing: FiringEntry): boolean {
    const { view, clock, options } = this.#context;
    const { node, attempt, origin, misfire, fingerprint } = firing.value;
    if (node !== null || attempt > 0) return false;
    if (origin === 'manual' || misfire) return true;
    if (fingerprint !== view.jobs.get(firing.id.job)?.plannedFingerprint) return false;
    return startTime(firing) >= clock.now() - options.misfireAfterMs;
  }

  async #expand(firing: FiringEntry, job: Job): Promise<void> {
    const { view, keys, log, writer } = this.#context;
    const workers = fittingWorkers(
      job,
      [...view.workers.values()].map(({ value }) => value),
    );
    if (workers.length === 0) return;
    const parentKey = keys.firing(firing.id);
    const unchanged = modifiedAt(parentKey, firing.modRevision);
    const children = workers.map((worker, index) => {
      const id = childId(firing.id, worker);
      const record: FiringRecord = { ...firing.value, only: { worker, index, count: workers.length } };
      return {
        compare: [absent(keys.firing(id)), absent(keys.run(id))],
        operation: put(keys.firing(id), encodeFiring(record)),
      };
    });
    const mark = put(parentKey, encodeFiring({ ...firing.value, expanded: workers.length }));
    let result: CommitResult = { committed: false, revision: 0 };
    for (let index = 0; index < children.length; index += CHILDREN_PER_TXN) {
      const some = children.slice(index, index + CHILDREN_PER_TXN);
      const isLast = index + some.length === children.length;
      // The mark goes with the last of them: in between, nobody must take the firing for one that never started.
      result = await writer.commit({
        compare: [unchanged, ...some.flatMap(({ compare }) => compare)],
        operations: [...some.map(({ operation }) => operation), ...(isLast ? [mark] : [])],
      });
      if (result.committed) continue;
      // An earlier leader got so far.
      for (const { compare, operation } of some)
        await writer.commit({ compare: [unchanged, ...compare], operations: [operation] });
      if (isLast) result = await writer.commit({ compare: [unchanged], operations: [mark] });
    }
    this.#handled.set(firing.runId, firing.modRevision);
    if (result.committed) log.debug({ ...firingFacts(firing.id), workers: workers.length }, 'expanded');
  }

  /** Ends a child that nobody else will. */
  async #judgeChild(child: FiringEntry, job: Job | null): Promise<void> {
    const { view, clock, options } = this.#context;
    const { node, attempt, misfire, waiting } = child.value;
    const workers = [...view.workers.values()].map(({ value }) => value);
    // Without a definition it is for the planner and the housekeeping.
    if (job === null || (node !== null && view.workers.has(node)) || startTime(child) > clock.now()) return;
    const why = whyNobody(job, child.value, workers);
    const { runId } = child;
    const nowMs = clock.monotonicMs();
    if (why === null) this.#unplaceableSince.delete(runId);
    else if (!this.#unplaceableSince.has(runId)) this.#unplaceableSince.set(runId, nowMs);
    const sinceMs = this.#unplaceableSince.get(runId) ?? nowMs;
    if (attempt > 0 || node !== null) {
      if (nowMs - sinceMs < COME_BACK_MS) return;
      return this.#endChild(child, 'lost', `not run again: ${why}, for ${COME_BACK_MS / 1_000} s`);
    }
    if (isTooLate(view, child, clock.now())) {
      const within = `not started within ${formatDuration(job.startDeadlineMs ?? 0)} (startDeadline)`;
      return this.#endChild(child, 'missed', `${within}: ${why ?? 'its worker had no room'}`);
    }
    const isOverdue = !misfire && !waiting && startTime(child) < clock.now() - options.misfireAfterMs;
    if (!isOverdue && nowMs - sinceMs < options.misfireAfterMs) return;
    const within = `not started within ${options.misfireAfterMs} ms`;
    await this.#endChild(child, 'missed', `${within}: ${why ?? 'its worker had no room'}`);
  }

  async #endChild(child: FiringEntry, outcome: Outcome, reason: string): Promise<void> {
    const { keys, clock, log, writer } = this.#context;
    const { attempt, crashes, origin, node, only, rerunOf } = child.value;
    const record: RunRecord = {
      ...emptyRecord(outcome, reason, clock.now()),
      ...{ attempts: attempt, crashes: node === null ? crashes : crashes + 1, nodeId: node },
      worker: only?.worker ?? (node === null ? null : workerNameOf(node)),
      manual: origin === 'manual',
      rerunOf,
    };
    const key = keys.firing(child.id);
    const result = await writer.commit({
      compare: [modifiedAt(key, child.modRevision), absent(keys.lock(child.id)), absent(keys.run(child.id))],
      operations: [del(key), put(keys.run(child.id), encodeRun(record))],
    });
    this.#handled.set(child.runId, child.modRevision);
    if (result.committed) log.warn({ ...firingFacts(child.id), outcome, reason }, 'ended without a run');
  }

  /** To end the run of a due time is to end it on each worker. */
  async #passOnKill({ runId }: FiringEntry, children: readonly FiringEntry[]): Promise<void> {
    const { view, keys, writer } = this.#context;
    const kill = view.kills.get(runId)?.value;
    if (kill === undefined) return;
    const text = encodeRecord(killRecordSchema, kill);
    for (const child of children) {
      const key = keys.kill(child.id);
      if (view.kills.has(child.runId)) continue;
      await writer.commit({
        compare: [absent(key), exists(keys.firing(child.id))],
        operations: [put(key, text)],
      });
    }
  }

  async #endIfOver(firing: FiringEntry, children: readonly FiringEntry[]): Promise<void> {
    const { store, keys, clock, writer } = this.#context;
    const { id } = firing;
    if (children.length > 0) return this.#passOnKill(firing, children);
    const range = prefixRange(keys.runs + formatRunId(childId(id, '')));
    const { kvs } = await listRange(store, range, { pageSize: 50 });
    const records = [...kvs.values()].flatMap((kv) => {
      const decoded = decodeRun(kv);
      return decoded.ok ? [decoded.value] : [];
    });
    const key = keys.firing(id);
    const record = {
      ...summary(records, firing.value.expanded ?? 0, clock.now()),
      manual: firing.value.origin === 'manual',
      rerunOf: firing.value.rerunOf,
    };
    // A child that ended after it was seen to be there is found by its record: whatever is missing was deleted by hand.
    await writer.commit({
      compare: [modifiedAt(key, firing.modRevision), absent(keys.run(id))],
      operations: [del(key), put(keys.run(id), encodeRun(record))],
    });
    this.#handled.set(firing.runId, firing.modRevision);
  }
}

/** The one record for all of them: their common outcome; `failed` where they differ. */
export function summary(records: readonly RunRecord[], count: number, nowMs: number): RunRecord {
  const outcomes = new Map<Outcome, number>();
  for (const { outcome } of records) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const [only] = outcomes.keys();
  const outcome = outcomes.size === 1 && records.length >= count ? only! : 'failed';
  const parts = [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, many]) => `${many} ${what}`);
  if (records.length < count) parts.push(`${count - records.length} without a record`);
  const others = records.filter((one) => one.outcome !== 'succeeded' && one.worker !== null);
  const named = others.slice(0, 5).map((one) => one.worker);
  const rest = others.length > named.length ? ` and ${others.length - named.length} more` : '';
  const who = named.length > 0 ? ` (${named.join(', ')}${rest})` : '';
  const startedAt = records.flatMap((one) => one.startedAt ?? []);
  const endedAt = records.flatMap((one) => one.endedAt ?? []);
  const from = startedAt.length > 0 ? Math.min(...startedAt) : null;
  const to = endedAt.length > 0 ? Math.max(...endedAt) : null;
  return {
    ...emptyRecord(
      outcome,
      `on ${count} ${count === 1 ? 'worker' : 'workers'}: ${parts.join(', ')}${who}`,
      nowMs,
    ),
    attempts: Math.max(0, ...records.map((one) => one.attempts)),
    crashes: records.reduce((sum, one) => sum + one.crashes, 0),
    startedAt: from,
    endedAt: to,
    durationMs: from === null || to === null ? null : Math.max(0, to - from),
    latenessMs: maxOrNull(records.flatMap((one) => one.latenessMs ?? [])),
  };
}

function maxOrNull(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}

function isChild(firing: FiringEntry): boolean {
  return firing.value.only !== null;
}

/** `<due>+on-<worker>`, or `<due>+<suffix>.on-<worker>`. */
function childId(parent: FiringId, worker: string): FiringId {
  const above = parent.suffix === null ? '' : `${parent.suffix}.`;
  return { ...parent, suffix: `${above}on-${worker}` };
}

function parentId({ id, value }: FiringEntry): FiringId {
  const own = `on-${value.only?.worker ?? ''}`;
  const above = id.suffix?.endsWith(own) ? id.suffix.slice(0, -own.length).replace(/\.$/, '') : '';
  return { ...id, suffix: above === '' ? null : above };
}

/** Within its job. */
function nameOf({ dueMs, suffix }: FiringId): string {
  return `${dueMs} ${suffix ?? ''}`;
}

function childrenByParent(firings: readonly FiringEntry[]): Map<string, FiringEntry[]> {
  const found = new Map<string, FiringEntry[]>();
  for (const firing of firings) {
    if (!isChild(firing)) continue;
    const name = nameOf(parentId(firing));
    const others = found.get(name);
    if (others) others.push(firing);
    else found.set(name, [firing]);
  }
  return found;
}
