/**
 * Firings written where some may stand already, or may have run: each compares that neither it nor its record exists.
 * (Ahead of the cursor that is known without a compare: see `ahead.ts`.)
 *
 * What is voided goes in the same transactions. One that waited for its turn had its time, and does not go without a
 * record; one of the same due time is written over, and a wait that was promised is kept.
 */
import { formatRunId } from '../etcd/keys.js';
import { absent, del, modifiedAt, put } from '../etcd/txn.js';
import { emptyRecord, encodeRun } from '../history/run-record.js';
import type { FiringEntry } from '../view/cluster-view.js';
import { encodeFiring, plannedFiring } from '../view/firing-record.js';
import { readCoverage } from './coverage.js';
import { startOf } from './firing-state.js';
import { ROOM_IN_TXN, type CommitResult, type Write } from './leader-writer.js';
import type { TermContext } from './planner-context.js';
import type { Progress } from './progress.js';

/** Firings in one transaction when each brings two compares of its own. */
export const GUARDED_BATCH = Math.floor(ROOM_IN_TXN / 2);
const VOIDED_WHILE_WAITING = 'its job was changed, paused, deleted or done while it waited for its turn';

export interface GuardedPut {
  readonly dueMs: number;
  /** Chosen by the misfire policy to run late. */
  readonly misfire: boolean;
}

export class GuardedFirings {
  readonly #context: TermContext;
  readonly #progress: Progress;

  constructor(context: TermContext, progress: Progress) {
    this.#context = context;
    this.#progress = progress;
  }

  /**
   * Plans `dues` where neither firing nor record exists, and deletes `voided`, in as few transactions as etcd's limits
   * allow. A voided firing of the same due time is overwritten instead. Those in `ended`, by run id, get a record.
   */
  async write(
    job: string,
    fingerprint: string | null,
    dues: readonly GuardedPut[],
    voided: readonly FiringEntry[],
    ended: ReadonlySet<string> = new Set(),
  ): Promise<CommitResult> {
    const replaced = new Map(voided.map((firing) => [firing.runId, firing]));
    const parts: Write[] = [];
    for (const due of dues) {
      const runId = formatRunId({ job, dueMs: due.dueMs, suffix: null });
      parts.push(this.#put(job, fingerprint, due, replaced.get(runId)));
      replaced.delete(runId);
    }
    for (const firing of replaced.values()) parts.push(this.#void(firing, ended.has(firing.runId)));
    let result: CommitResult = { committed: true, revision: 0 };
    for (let index = 0; index < parts.length && result.committed; index += GUARDED_BATCH)
      result = await this.#progress.write(merge(parts.slice(index, index + GUARDED_BATCH)));
    return result;
  }

  /** Those of `dues`, in any order, that no record accounts for. */
  async withoutRecord(job: string, dues: readonly number[]): Promise<number[]> {
    if (dues.length === 0) return [];
    const { store, keys } = this.#context;
    const covered = await readCoverage(store, keys, job, Math.min(...dues), Math.max(...dues));
    return dues.filter((due) => !covered(due));
  }

  #put(
    job: string,
    fingerprint: string | null,
    { dueMs, misfire }: GuardedPut,
    voided: FiringEntry | undefined,
  ): Write {
    const { keys, view } = this.#context;
    const id = { job, dueMs, suffix: null };
    const key = keys.firing(id);
    // What the misfire policy chose to run late is late enough.
    const startMs = misfire ? null : startOf(view.jobs.get(job), dueMs);
    const old = voided ?? view.damagedFirings.get(formatRunId(id));
    const planned = plannedFiring(fingerprint ?? '', misfire, startMs);
    return {
      compare: [old ? modifiedAt(key, old.modRevision) : absent(key), absent(keys.run(id))],
      operations: [put(key, encodeFiring({ ...planned, waiting: voided?.value.waiting ?? false }))],
    };
  }

  #void({ id, modRevision }: FiringEntry, isEnded: boolean): Write {
    const { keys, clock } = this.#context;
    const key = keys.firing(id);
    if (!isEnded) return { compare: [modifiedAt(key, modRevision)], operations: [del(key)] };
    const record = emptyRecord('cancelled', VOIDED_WHILE_WAITING, clock.now());
    return {
      compare: [modifiedAt(key, modRevision), absent(keys.run(id))],
      operations: [del(key), put(keys.run(id), encodeRun(record))],
    };
  }
}

function merge(parts: readonly Write[]): Write {
  return {
    compare: parts.flatMap((part) => part.compare ?? []),
    operations: parts.flatMap((part) => part.operations ?? []),
  };
}
