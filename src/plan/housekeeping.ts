/**
 * The leader's chores, a small bite each time, so that they never weigh on the schedule:
 *
 * - run records beyond a job's history limits are pruned; those younger than `minRecordAgeMs` stay whatever the limits
 *   say, and so do those that the cursor has not passed, because the planner relies on them to know what ran;
 * - firings whose job is gone end: those that started before as `cancelled`, those asked for by hand as well;
 * - jobs that are over are removed, where they ask for it (`removal.ts`);
 * - kill requests for firings that do not exist any more are removed, and so are the counts of runs of deleted jobs, and a
 *   request to hand over that an earlier leader was asked for;
 * - the audit record is kept within its bounds (`audit-pruning.ts`);
 * - a database of etcd that comes near its quota is told of (`database-watch.ts`).
 *
 * Every write compares what it was decided on, and a crash in between leaves only what the next round finds again.
 */
import { sleep, type Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { firingFacts, JOB_NAME_PATTERN, parseRunId, type Keys } from '../etcd/keys.js';
import { readPage } from '../etcd/listing.js';
import type { KeyValue, Store } from '../etcd/store.js';
import { absent, del, modifiedAt, put } from '../etcd/txn.js';
import { madeLaterAt } from '../history/made-later.js';
import { emptyRecord, encodeRun } from '../history/run-record.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, FiringEntry } from '../view/cluster-view.js';
import type { LeaderWriter } from './leader-writer.js';
import { AuditPruning, DEFAULT_AUDIT_LIMITS, type AuditLimits } from './audit-pruning.js';
import { DatabaseWatch } from './database-watch.js';
import { NotLeaderError } from './leader-writer.js';
import { Removal } from './removal.js';

export interface HousekeepingOptions {
  /** Pause between two bites. */
  readonly intervalMs: number;
  /** Keys of run records read at once. */
  readonly pageSize: number;
  /** How long a round through all run records should take; more of them are then read in one bite … */
  readonly roundMs: number;
  /** … but for no more than this share of the time, so that a huge history is gone through more slowly instead of weighing on etcd. */
  readonly maxShare: number;
  readonly minRecordAgeMs: number;
  /** History of jobs whose definition is gone or broken. */
  readonly defaultLimit: number;
  readonly defaultMaxAgeMs: number;
  readonly audit: AuditLimits;
}

export const DEFAULT_HOUSEKEEPING: HousekeepingOptions = {
  intervalMs: 5_000,
  pageSize: 1_000,
  roundMs: 60_000,
  maxShare: 0.3,
  minRecordAgeMs: 5 * 60_000,
  defaultLimit: 100,
  defaultMaxAgeMs: 30 * 24 * 3_600_000,
  audit: DEFAULT_AUDIT_LIMITS,
};

export interface HousekeepingContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly options: HousekeepingOptions;
  readonly writer: Pick<LeaderWriter, 'commit'>;
}

const MAX_ORPHANS_PER_BITE = 40;
/** Well below etcd's limit of 128 operations. */
const MAX_DELETES_PER_TXN = 120;

export class Housekeeping {
  readonly #context: HousekeepingContext;
  readonly #abort = new AbortController();
  readonly #removal: Removal;
  readonly #database: DatabaseWatch;
  readonly #audit: AuditPruning;
  /** The run id of the orphan that was tried last: one that cannot be ended must not keep others from their turn. */
  #lastOrphan = '';
  /** Where the next page of run records begins. */
  #position: string;
  /** Read in each bite of this round. */
  #pagesPerBite = 1;
  /** The job at the end of the last page, and its record keys seen so far. */
  #carried: { job: string; keys: string[] } = { job: '', keys: [] };
  #loop: Promise<void> | null = null;

  constructor(context: HousekeepingContext) {
    this.#context = context;
    this.#removal = new Removal(context);
    this.#database = new DatabaseWatch(context);
    this.#audit = new AuditPruning(context);
    this.#position = context.keys.runs;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('housekeeping was stopped'));
    await this.#loop;
    this.#removal.stop();
  }

  /** One bite. Rejects with `NotLeaderError` or a `StoreError`. */
  async bite(): Promise<void> {
    await this.#endOrphans();
    await this.#removeStaleKills();
    await this.#removeStaleCounts();
    await this.#removeStaleHandover();
    await this.#prunePages();
    await this.#audit.pruneIfDue();
    // Last, since an etcd user may lack the right to delete definitions.
    await this.#removal.removeFinished();
  }

  async #run(): Promise<void> {
    const { clock, log, options } = this.#context;
    while (!this.#abort.signal.aborted) {
      await this.#database.look();
      try {
        await this.bite();
      } catch (error) {
        if (!(error instanceof NotLeaderError))
          log.warn({ err: messageOf(error) }, 'housekeeping failed; trying again');
      }
      await sleep(clock, options.intervalMs, this.#abort.signal).catch(() => undefined);
    }
  }

  async #endOrphans(): Promise<void> {
    const { view, keys, clock, log, writer } = this.#context;
    const orphans: [string, FiringEntry][] = [];
    for (const [runId, firing] of view.firings) {
      if (!view.jobs.has(firing.id.job) && runId > this.#lastOrphan && this.#mayEnd(firing))
        orphans.push([runId, firing]);
    }
    orphans.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [runId, firing] of orphans.slice(0, MAX_ORPHANS_PER_BITE)) {
      this.#lastOrphan = runId;
      const record = {
        ...emptyRecord('cancelled', 'the job was deleted', clock.now()),
        attempts: firing.value.attempt,
        crashes: firing.value.crashes,
        nodeId: firing.value.node,
        manual: firing.value.origin === 'manual',
        rerunOf: firing.value.rerunOf,
      };
      const key = keys.firing(firing.id);
      const result = await writer.commit({
        compare: [
          modifiedAt(key, firing.modRevision),
          absent(keys.lock(firing.id)),
          absent(keys.job(firing.id.job)),
        ],
        operations: [del(key), put(keys.run(firing.id), encodeRun(record))],
      });
      if (result.committed) log.info(firingFacts(firing.id), 'cancelled: the job was deleted');
    }
    if (orphans.length <= MAX_ORPHANS_PER_BITE) this.#lastOrphan = '';
  }

  /** Started before, or asked for by hand, and in nobody's hands now. (What never started is the planner's to void.) */
  #mayEnd(firing: FiringEntry): boolean {
    const { node, attempt, origin } = firing.value;
    if (node !== null) return !this.#context.view.workers.has(node);
    return attempt > 0 || origin === 'manual';
  }

  async #removeStaleKills(): Promise<void> {
    const { view, keys, clock, options, writer } = this.#context;
    for (const [runId, kill] of view.kills) {
      const id = parseRunId(runId);
      if (id === null || view.firings.has(runId) || clock.now() - kill.value.at < options.minRecordAgeMs)
        continue;
      const key = keys.kill(id);
      await writer.commit({ compare: [modifiedAt(key, kill.modRevision)], operations: [del(key)] });
    }
  }

  /** Of jobs that are gone. (A job that was put there anew has a count of its own, whatever stands there.) */
  async #removeStaleCounts(): Promise<void> {
    const { view, keys, writer } = this.#context;
    for (const [name, count] of view.counts) {
      if (view.jobs.has(name) || !JOB_NAME_PATTERN.test(name)) continue;
      const key = keys.count(name);
      await writer.commit({
        compare: [modifiedAt(key, count.modRevision), absent(keys.job(name))],
        operations: [del(key)],
      });
    }
  }

  /** Whoever leads now took over after it was asked for, or is the one that was asked for. */
  async #removeStaleHandover(): Promise<void> {
    const { view, keys, writer } = this.#context;
    const { handover, leader } = view;
    if (handover.state !== 'present' || leader.state !== 'present') return;
    const isFor = handover.value.to === leader.value.name;
    if (handover.modRevision > leader.createRevision && !isFor) return;
    await writer.commit({
      compare: [modifiedAt(keys.handover, handover.modRevision)],
      operations: [del(keys.handover)],
    });
  }

  /**
   * Records come in all the time. At a fixed pace a round would take the longer the more of them there are, and what comes
   * in meanwhile makes the next one longer still: from some rate on the history would grow for ever.
   */
  async #prunePages(): Promise<void> {
    const { clock, options } = this.#context;
    const untilMs = clock.monotonicMs() + options.maxShare * options.intervalMs;
    for (let page = 1; ; page += 1) {
      const isRoundOver = await this.#prunePage();
      const isBiteOver = page >= this.#pagesPerBite || clock.monotonicMs() >= untilMs;
      if (isRoundOver || isBiteOver || this.#abort.signal.aborted) return;
    }
  }

  /** True when it was the last page of a round. */
  async #prunePage(): Promise<boolean> {
    const { store, keys, options } = this.#context;
    const end = `${keys.runs.slice(0, -1)}0`;
    const page = await readPage(
      store,
      { start: this.#position, end },
      { limit: options.pageSize, keysOnly: true },
    );
    if (this.#position === keys.runs) {
      const { pageSize, intervalMs, roundMs } = options;
      this.#pagesPerBite = Math.max(Math.ceil((page.count / pageSize) * (intervalMs / roundMs)), 1);
    }
    for (const kv of page.kvs) await this.#visit(kv);
    const last = page.kvs.at(-1);
    if (page.more && last) {
      this.#position = `${last.key}\0`;
      return false;
    }
    await this.#pruneJob();
    this.#carried = { job: '', keys: [] };
    this.#position = keys.runs;
    return true;
  }

  async #visit(kv: KeyValue): Promise<void> {
    const id = parseRunId(kv.key.slice(this.#context.keys.runs.length));
    if (id === null) return;
    if (id.job !== this.#carried.job) {
      await this.#pruneJob();
      this.#carried = { job: id.job, keys: [] };
    }
    this.#carried.keys.push(kv.key);
  }

  /** All record keys of one job are known, oldest first. */
  async #pruneJob(): Promise<void> {
    const { view, keys, clock, options, writer, log } = this.#context;
    const { job: name, keys: recordKeys } = this.#carried;
    if (recordKeys.length === 0) return;
    const history = view.jobs.get(name)?.job?.history;
    const limit = history?.limit ?? options.defaultLimit;
    const maxAgeMs = history?.maxAgeMs ?? options.defaultMaxAgeMs;
    const { cursor } = view;
    if (cursor.state !== 'present') return;
    const nowMs = clock.now();
    const neededFromMs = Math.min(cursor.value.plannedThrough.due, cursor.value.at);
    const dues = recordKeys.map((key) => parseRunId(key.slice(keys.runs.length))?.dueMs ?? nowMs);
    // A job that runs everywhere has a record for each worker, of the same due time.
    const oldestKeptMs = [...new Set(dues)].at(-limit) ?? -Infinity;
    const surplus = recordKeys.filter((key, index) => {
      const dueMs = dues[index]!;
      // A backfill and a rerun make records of due times long ago.
      const madeMs = madeLaterAt(parseRunId(key.slice(keys.runs.length))?.suffix ?? null);
      const ageMs = nowMs - (madeMs ?? dueMs);
      if (ageMs < options.minRecordAgeMs || dueMs >= neededFromMs) return false;
      return ageMs > maxAgeMs || dueMs < oldestKeptMs;
    });
    for (let index = 0; index < surplus.length; index += MAX_DELETES_PER_TXN) {
      await writer.commit({
        operations: surplus.slice(index, index + MAX_DELETES_PER_TXN).map((key) => del(key)),
      });
    }
    if (surplus.length > 0) log.debug({ job: name, records: surplus.length }, 'pruned the history');
  }
}
