/**
 * Whether each firing ran once and on time: the pure part, fed with the changes of `lock/` and `runs/` as etcd tells them. A
 * firing that was claimed or recorded twice shows here, although its key can exist only once at a time.
 */
import { lockRecordSchema } from '../src/claim/lock-record.js';
import type { Keys } from '../src/etcd/keys.js';
import { decodeRecord } from '../src/etcd/record.js';
import type { WatchEvent } from '../src/etcd/store.js';
import { decodeRun, type RunRecord } from '../src/history/run-record.js';

export interface Account {
  /** One for each expected firing that was found; of several, the first. */
  readonly records: readonly RunRecord[];
  readonly problems: readonly string[];
  /** Claims that were made again for the same attempt. */
  readonly handBacks: number;
}

export interface JudgeOptions {
  /** The firings that are planned or in flight now: those are unfinished, not lost. */
  readonly planned?: ReadonlySet<string>;
  /** Workers were killed: an attempt more is right for each that was lost with its worker. */
  readonly crashes?: boolean;
  /**
   * A claim may have been given back before anything was started, as a worker does that is too starved to trust its clock.
   * It shows as a later claim for the same attempt.
   */
  readonly handBacks?: boolean;
}

/** Problems of one kind that are named; the others are counted. */
const NAMED = 3;

export class Ledger {
  /** The attempts that each firing was claimed for, in order. */
  readonly #claims = new Map<string, number[]>();
  readonly #records = new Map<string, RunRecord[]>();
  /** Of the first record of each firing. */
  readonly #recordRevisions = new Map<string, number>();
  readonly #missed: { job: string; from: number; through: number }[] = [];
  /** Locks and run records that cannot be read. */
  readonly #broken: string[] = [];

  apply(keys: Keys, events: readonly WatchEvent[]): void {
    for (const event of events) {
      if (event.type === 'delete') continue;
      const { key } = event.kv;
      if (key.startsWith(keys.locks)) {
        const runId = key.slice(keys.locks.length);
        const decoded = decodeRecord(lockRecordSchema, event.kv);
        if (decoded.ok) append(this.#claims, runId, decoded.value.attempt);
        else this.#broken.push(`${runId}: ${decoded.problem}`);
      } else if (key.startsWith(keys.runs)) {
        const runId = key.slice(keys.runs.length);
        const decoded = decodeRun(event.kv);
        if (decoded.ok) this.#recorded(runId, decoded.value, event.kv.modRevision);
        else this.#broken.push(`${runId}: ${decoded.problem}`);
      }
    }
  }

  has(runId: string): boolean {
    return this.#records.has(runId);
  }

  /** The etcd revision at which the firing was recorded; Infinity for one that has no record. */
  recordedAt(runId: string): number {
    return this.#recordRevisions.get(runId) ?? Infinity;
  }

  recordOf(runId: string): RunRecord | undefined {
    return this.#records.get(runId)?.[0];
  }

  judge(expected: readonly string[], options: JudgeOptions = {}): Account {
    const { planned, crashes = false, handBacks: mayHandBack = false } = options;
    const records: RunRecord[] = [];
    let handBacks = 0;
    const found = {
      lost: [] as string[],
      unfinished: [] as string[],
      missed: [] as string[],
      doubled: [] as string[],
      early: [] as string[],
      failed: [] as string[],
    };
    for (const runId of expected) {
      const own = this.#records.get(runId) ?? [];
      const [record] = own;
      const dueMs = dueOf(runId);
      if (record === undefined) {
        found[this.#isMissed(runId) ? 'missed' : planned?.has(runId) ? 'unfinished' : 'lost'].push(runId);
        continue;
      }
      records.push(record);
      const claims = this.#claims.get(runId) ?? [];
      const again = claims.length - new Set(claims).size;
      handBacks += again;
      const right = 1 + (crashes ? record.crashes : 0);
      if (own.length > 1 || claims.length > right + (mayHandBack ? again : 0) || record.attempts > right)
        found.doubled.push(
          `${runId} (${claims.length} claims, ${own.length} records, ${record.attempts} attempts)`,
        );
      if (record.startedAt !== null && record.startedAt < dueMs)
        found.early.push(`${runId} (${dueMs - record.startedAt} ms)`);
      if (record.outcome === 'missed') found.missed.push(runId);
      else if (record.outcome !== 'succeeded')
        found.failed.push(`${runId} (${record.outcome}: ${record.reason})`);
    }
    const problems = Object.entries(found).flatMap(([kind, runs]) =>
      runs.length === 0 ? [] : [`${runs.length} of ${expected.length} firings ${kind}: ${shorten(runs)}`],
    );
    if (this.#broken.length > 0) problems.push(`unreadable locks or run records: ${shorten(this.#broken)}`);
    return { records, problems, handBacks };
  }

  /**
   * Judges the firings and forgets them, so that a long measurement stays small. What is heard of one of them later can only
   * be a second claim or record: see `strangers`.
   */
  settle(expected: readonly string[], options?: JudgeOptions): Account {
    const account = this.judge(expected, options);
    for (const runId of expected) {
      this.#claims.delete(runId);
      this.#records.delete(runId);
      this.#recordRevisions.delete(runId);
    }
    return account;
  }

  /** Problems of firings that came up again after they had been settled: all due from `fromMs` up to `toMs`, without it. */
  strangers(fromMs: number, toMs: number): string[] {
    const again = [...new Set([...this.#claims.keys(), ...this.#records.keys()])].filter(
      (runId) => fromMs <= dueOf(runId) && dueOf(runId) < toMs,
    );
    return again.length === 0 ? [] : [`${again.length} firings came up again: ${shorten(again)}`];
  }

  #recorded(runId: string, record: RunRecord, revision: number): void {
    if (!this.#recordRevisions.has(runId)) this.#recordRevisions.set(runId, revision);
    append(this.#records, runId, record);
    if (record.missed !== null) this.#missed.push({ job: jobOf(runId), ...record.missed });
  }

  #isMissed(runId: string): boolean {
    const [job, dueMs] = [jobOf(runId), dueOf(runId)];
    return this.#missed.some((range) => range.job === job && range.from <= dueMs && dueMs <= range.through);
  }
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function jobOf(runId: string): string {
  return runId.slice(0, runId.indexOf('/'));
}

function dueOf(runId: string): number {
  return Date.parse(runId.slice(runId.indexOf('/') + 1));
}

function shorten(runs: readonly string[]): string {
  return runs.slice(0, NAMED).join(', ') + (runs.length > NAMED ? ', …' : '');
}
