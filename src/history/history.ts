/**
 * Reading run records, newest due time first.
 *
 * Keys order the records of one job by due time, so the newest of a job are one descending read. Across jobs there is no
 * such order: the keys (not the values, which hold output) are gone through page by page; where a page ends within a
 * job, only the newest of the rest of that job are read, and the next page begins at the next job. So the cost grows with
 * the number of jobs that have a history, not with the length of their histories: each page costs at most `PAGE_SIZE` +
 * `limit` keys of about 100 bytes and moves on by at least one job. Values are read only of what is returned, or, where
 * an outcome is looked for, of what has to be looked at.
 */
import { duePart, parseRunId, type FiringId, type Keys } from '../etcd/keys.js';
import { isTooLarge, readPage } from '../etcd/listing.js';
import { singleKey, type KeyValue, type OperationResult, type Store } from '../etcd/store.js';
import { get } from '../etcd/txn.js';
import { decodeRun, type Outcome, type RunRecord } from './run-record.js';

export interface RunEntry {
  readonly runId: string;
  readonly id: FiringId;
  /** Null when the value is not one that etcron wrote: then `problem` says what is wrong with it. */
  readonly record: RunRecord | null;
  readonly problem: string | null;
}

export interface ListRunsQuery {
  readonly job?: string;
  /** Only records with one of these outcomes. */
  readonly outcomes?: readonly Outcome[];
  /** At most this many entries. */
  readonly limit: number;
  /** Begin after this run, which need not exist any more: the `next` of the page before. */
  readonly after?: FiringId;
  /** With `outcomes`: how many records to look at, at most; default 10,000. */
  readonly maxExamined?: number;
}

export interface RunPage {
  /** By due time, newest first; at the same due time by job name. */
  readonly entries: readonly RunEntry[];
  /** What `after` continues from; null when there is nothing more. */
  readonly next: FiringId | null;
}

const PAGE_SIZE = 1_000;
/** Values read in one transaction: two full output tails each, escaped, stay far below what an answer may hold. */
const VALUES_PER_TXN = 50;
const MAX_EXAMINED = 10_000;

/** Rejects with a `StoreError`. */
export async function listRuns(store: Store, keys: Keys, query: ListRunsQuery): Promise<RunPage> {
  const { outcomes, limit } = query;
  const { ids, more } = await newest(store, keys, {
    ...query,
    limit: outcomes === undefined ? limit : (query.maxExamined ?? MAX_EXAMINED),
  });
  const entries: RunEntry[] = [];
  for (let from = 0; from < ids.length; from += VALUES_PER_TXN) {
    const chunk = ids.slice(from, from + VALUES_PER_TXN);
    for (const [index, entry] of (await readRuns(store, keys, chunk)).entries()) {
      if (entry === null || !matches(entry, outcomes)) continue;
      entries.push(entry);
      if (entries.length < limit) continue;
      const examined = from + index + 1;
      return { entries, next: more || examined < ids.length ? entry.id : null };
    }
  }
  return { entries, next: more ? (ids.at(-1) ?? null) : null };
}

/** The record of one run, or null when there is none: it never was, is not over yet, or has been pruned. */
export async function getRun(store: Store, keys: Keys, id: FiringId): Promise<RunEntry | null> {
  const { kvs } = await store.range(singleKey(keys.run(id)));
  return kvs[0] ? toEntry(id, kvs[0]) : null;
}

function matches({ record }: RunEntry, outcomes: readonly Outcome[] | undefined): boolean {
  return outcomes === undefined || (record !== null && outcomes.includes(record.outcome));
}

/** One for each id, null where the record has been pruned meanwhile. */
async function readRuns(store: Store, keys: Keys, ids: readonly FiringId[]): Promise<(RunEntry | null)[]> {
  let results: readonly OperationResult[];
  try {
    ({ results } = await store.txn({ compare: [], success: ids.map((id) => get(keys.run(id))) }));
  } catch (error) {
    if (!isTooLarge(error) || ids.length === 1) throw error;
    const half = Math.ceil(ids.length / 2);
    const [first, second] = [ids.slice(0, half), ids.slice(half)];
    return [...(await readRuns(store, keys, first)), ...(await readRuns(store, keys, second))];
  }
  return ids.map((id, index) => {
    const result = results[index];
    const kv = result?.type === 'get' ? result.kvs[0] : undefined;
    return kv ? toEntry(id, kv) : null;
  });
}

function toEntry(id: FiringId, kv: KeyValue): RunEntry {
  const decoded = decodeRun(kv);
  const runId = `${id.job}/${duePart(id)}`;
  return decoded.ok
    ? { runId, id, record: decoded.value, problem: null }
    : { runId, id, record: null, problem: decoded.problem };
}

type NewestQuery = Pick<ListRunsQuery, 'job' | 'after' | 'limit'>;

/** The ids of the newest records; `more` when there are others after them. */
async function newest(
  store: Store,
  keys: Keys,
  query: NewestQuery,
): Promise<{ ids: FiringId[]; more: boolean }> {
  const found = new Newest(keys, query);
  if (query.job !== undefined) {
    await readJob(store, found, query.job, keys.runsOf(query.job).start);
    return found.finish();
  }
  let start = keys.runs;
  const end = successor(keys.runs);
  for (;;) {
    const page = await readPage(store, { start, end }, { limit: PAGE_SIZE, keysOnly: true });
    for (const kv of page.kvs) found.add(kv);
    const last = page.kvs.at(-1);
    if (!page.more || !last) return found.finish();
    start = `${last.key}\0`;
    const job = jobOf(keys, last.key);
    if (job === null) continue;
    await readJob(store, found, job, start);
    start = endOfJob(keys, job);
  }
}

/** The newest records of one job, of those from the key `start` on. */
async function readJob(store: Store, found: Newest, job: string, start: string): Promise<void> {
  const end = found.endFor(job);
  if (start >= end) return;
  const options = { limit: found.limit, descending: true, keysOnly: true };
  const page = await readPage(store, { start, end }, options);
  for (const kv of page.kvs) found.add(kv);
  if (page.more) found.more = true;
}

/** Keeps the first `limit` ids in the order of the result, of those after the one where the last page ended. */
class Newest {
  readonly limit: number;
  more = false;
  readonly #keys: Keys;
  readonly #after: Position | null;
  #kept: Position[] = [];

  constructor(keys: Keys, { after, limit }: NewestQuery) {
    this.#keys = keys;
    this.limit = limit;
    this.#after = after === undefined ? null : positionOf(after);
  }

  add({ key }: KeyValue): void {
    const id = parseRunId(key.slice(this.#keys.runs.length));
    if (id === null) return;
    const position = positionOf(id);
    if (this.#after !== null && inOrder(position, this.#after) <= 0) return;
    this.#kept.push(position);
    if (this.#kept.length > 2 * Math.max(this.limit, PAGE_SIZE)) this.#trim();
  }

  /** No key of the job from here on comes after the end of the last page. */
  endFor(job: string): string {
    const after = this.#after;
    if (after === null) return endOfJob(this.#keys, job);
    const key = `${this.#keys.runs}${job}/${after.due}`;
    return job > after.id.job ? `${key}\0` : key;
  }

  finish(): { ids: FiringId[]; more: boolean } {
    this.#trim();
    return { ids: this.#kept.map(({ id }) => id), more: this.more };
  }

  #trim(): void {
    this.#kept.sort(inOrder);
    if (this.#kept.length > this.limit) this.more = true;
    this.#kept = this.#kept.slice(0, this.limit);
  }
}

interface Position {
  readonly id: FiringId;
  /** With the suffix, as in the key. */
  readonly due: string;
}

function positionOf(id: FiringId): Position {
  return { id, due: duePart(id) };
}

function inOrder(a: Position, b: Position): number {
  if (a.due !== b.due) return a.due > b.due ? -1 : 1;
  return a.id.job < b.id.job ? -1 : a.id.job > b.id.job ? 1 : 0;
}

/** Null for a key that belongs to no job: it has no second slash, and lies anywhere between those that have. */
function jobOf(keys: Keys, key: string): string | null {
  const slash = key.indexOf('/', keys.runs.length);
  return slash < 0 ? null : key.slice(keys.runs.length, slash);
}

function endOfJob(keys: Keys, job: string): string {
  return successor(`${keys.runs}${job}/`);
}

/** The first key after all that begin with `prefix`, which ends with a slash. */
function successor(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
