/** Which due times of a job already have their terminal record. Read only when something overdue has to be judged. */
import { duePart, parseRunId, type Keys } from '../etcd/keys.js';
import { readPage } from '../etcd/listing.js';
import type { Store } from '../etcd/store.js';
import { decodeRun } from '../history/run-record.js';

const PAGE = 200;

/**
 * Reads the records of `job` from `fromMs` on, up to `throughMs` (both included). The answer says of a due time whether
 * it has a record of its own or lies in the range of a `missed` one. Rejects with a `StoreError`.
 */
export async function readCoverage(
  store: Store,
  keys: Keys,
  job: string,
  fromMs: number,
  throughMs: number,
): Promise<(dueMs: number) => boolean> {
  const own = new Set<number>();
  const ranges: { from: number; through: number }[] = [];
  const base = keys.runsOf(job);
  // A `missed` record is filed under its last due time, so those that reach into the range are found in it or behind it.
  let start = `${base.start}${duePart({ job, dueMs: fromMs, suffix: null })}`;
  for (;;) {
    const page = await readPage(store, { start, end: base.end }, { limit: PAGE });
    for (const kv of page.kvs) {
      const id = parseRunId(kv.key.slice(keys.runs.length));
      if (id === null || id.suffix !== null) continue;
      own.add(id.dueMs);
      const record = decodeRun(kv);
      if (record.ok && record.value.missed) ranges.push(record.value.missed);
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) break;
    const lastId = parseRunId(last.key.slice(keys.runs.length));
    if (lastId !== null && lastId.dueMs > throughMs && ranges.every((range) => range.from > throughMs)) break;
    start = `${last.key}\0`;
  }
  return (dueMs) => own.has(dueMs) || ranges.some((range) => range.from <= dueMs && dueMs <= range.through);
}
