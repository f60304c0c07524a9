/**
 * Everything that a leader writes goes through here, fenced: each transaction compares the leader key's create revision,
 * so that nothing of a deposed leader lands. Those that move the cursor also compare the cursor's own revision, which
 * makes them exactly-once: when a reply is lost the transaction is sent again, and then either applies for the first
 * time or fails on a cursor that holds what we wanted to write.
 */
import { Backoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Keys } from '../etcd/keys.js';
import { encodeRecord } from '../etcd/record.js';
import type { Compare, Operation, Store, TxnResult } from '../etcd/store.js';
import { StoreError } from '../etcd/store-error.js';
import { createdAt, get, modifiedAt, put } from '../etcd/txn.js';
import { TxnBatcher } from '../etcd/txn-batcher.js';
import { cursorRecordSchema, type CursorRecord } from '../view/cursor-record.js';

/** The office is gone, or not certain any more. */
export class NotLeaderError extends Error {
  override name = 'NotLeaderError';
}

/** Somebody else wrote the cursor: what we know of it must be read again. */
export class CursorChangedError extends Error {
  override name = 'CursorChangedError';
}

export type CommitResult =
  | { readonly committed: true; readonly revision: number }
  /** One of the caller's own compares failed; `revision` is one at which that was so. */
  | { readonly committed: false; readonly revision: number };

export interface Write {
  readonly compare?: readonly Compare[];
  readonly operations?: readonly Operation[];
  /** The new cursor, when it moves. */
  readonly cursor?: CursorRecord;
}

/** Room that the writer's own compares and operations leave in etcd's limit of 128 each. */
export const ROOM_IN_TXN = 125;

export interface LeaderWriterContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  /** In office, and sure of it now. */
  readonly isLeader: () => boolean;
  /** A fenced transaction was refused. */
  readonly onFenced: () => void;
  /** What was written, once it stands in etcd. */
  readonly onWritten?: ((operations: readonly Operation[]) => void) | undefined;
  readonly signal: AbortSignal;
}

export class LeaderWriter {
  readonly #context: LeaderWriterContext;
  readonly #termRevision: number;
  /** Writes for different jobs that are under way together share transactions. */
  readonly #batcher: TxnBatcher;
  #cursorRevision: number;
  #own: { revision: number; sentAtMs: number }[] = [];

  constructor(context: LeaderWriterContext, termRevision: number, cursorRevision: number) {
    this.#context = context;
    this.#termRevision = termRevision;
    this.#batcher = new TxnBatcher(context.store);
    this.#cursorRevision = cursorRevision;
  }

  /**
   * Resolves when it is certain whether the write happened, trying again for as long as this node leads. Rejects with
   * `NotLeaderError`, `CursorChangedError`, or a `StoreError` that trying again cannot cure.
   */
  async commit(write: Write): Promise<CommitResult> {
    const { keys, clock, random, signal } = this.#context;
    const cursorText = write.cursor && encodeRecord(cursorRecordSchema, write.cursor);
    const txn = {
      compare: [
        createdAt(keys.leader, this.#termRevision),
        ...(cursorText === undefined ? [] : [modifiedAt(keys.cursor, this.#cursorRevision)]),
        ...(write.compare ?? []),
      ],
      success: [
        ...(write.operations ?? []),
        ...(cursorText === undefined ? [] : [put(keys.cursor, cursorText)]),
      ],
      failure: [get(keys.leader), get(keys.cursor)],
    };
    const backoff = new Backoff(50, 1_000, random);
    const sentAtMs = clock.now();
    for (;;) {
      if (!this.#context.isLeader()) throw new NotLeaderError('not in office, or not certain of it');
      try {
        const result = await (cursorText === undefined
          ? this.#batcher.submit(txn)
          : this.#context.store.txn(txn));
        const written = this.#interpret(result, cursorText, sentAtMs);
        if (written.committed) this.#context.onWritten?.(write.operations ?? []);
        return written;
      } catch (error) {
        if (!(error instanceof StoreError) || !error.transient) throw error;
        await sleep(clock, backoff.nextMs(), signal).catch(() => {
          throw new NotLeaderError('stopped');
        });
      }
    }
  }

  /**
   * The newest own cursor write that lies within `viewRevision`, and when it was sent: a change with a greater revision
   * happened after that time.
   */
  observed(viewRevision: number): { revision: number; sentAtMs: number } | null {
    let newest: { revision: number; sentAtMs: number } | null = null;
    while (this.#own.length > 0 && this.#own[0]!.revision <= viewRevision) newest = this.#own.shift()!;
    return newest;
  }

  #interpret(result: TxnResult, cursorText: string | undefined, sentAtMs: number): CommitResult {
    if (result.succeeded) {
      if (cursorText !== undefined) this.#moved(result.revision, sentAtMs);
      return { committed: true, revision: result.revision };
    }
    const [leader, cursor] = result.results.map((one) => (one.type === 'get' ? one.kvs[0] : undefined));
    if (leader?.createRevision !== this.#termRevision) {
      this.#context.onFenced();
      throw new NotLeaderError('deposed');
    }
    if (cursorText !== undefined && (cursor?.modRevision ?? 0) !== this.#cursorRevision) {
      if (cursor?.value.toString('utf8') !== cursorText)
        throw new CursorChangedError('the cursor was changed');
      this.#moved(cursor.modRevision, sentAtMs);
      return { committed: true, revision: cursor.modRevision };
    }
    return { committed: false, revision: result.revision };
  }

  #moved(revision: number, sentAtMs: number): void {
    this.#cursorRevision = revision;
    this.#own.push({ revision, sentAtMs });
  }
}
