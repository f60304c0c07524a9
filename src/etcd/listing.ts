/** A whole range at one revision, however large: read in pages, all pinned to the revision of the first. */
import { StoreError } from './store-error.js';
import type { KeyRange, KeyValue, RangeOptions, RangeResult, Store } from './store.js';

export interface Listing {
  /** The revision at which all of this was so. */
  readonly revision: number;
  readonly kvs: ReadonlyMap<string, KeyValue>;
}

export interface ListingOptions {
  readonly pageSize: number;
  readonly keysOnly?: boolean;
  /** Reads at this revision; default is the newest. */
  readonly revision?: number;
  /** Asked between pages; throws to give up. */
  readonly check?: () => void;
}

/** A range that grows or is compacted faster than it can be read would otherwise be begun for ever. */
const MAX_BEGINNINGS = 10;

/**
 * Lists a range. When the pinned revision is compacted between two pages it begins again. Rejects with a `StoreError`.
 */
export async function listRange(store: Store, range: KeyRange, options: ListingOptions): Promise<Listing> {
  for (let beginning = 1; ; beginning += 1) {
    try {
      return await listOnce(store, range, options);
    } catch (error) {
      const compacted = error instanceof StoreError && error.details.compacted === true;
      const pinned = options.revision !== undefined;
      if (!compacted || pinned || beginning === MAX_BEGINNINGS) throw error;
    }
  }
}

/**
 * One page: at most `limit` keys, fewer where so many would be more than an answer can hold. Etcd takes values of 1.5 MiB,
 * and a page of those would never arrive. Rejects with a `StoreError`.
 */
export async function readPage(
  store: Store,
  range: KeyRange,
  options: RangeOptions & { readonly limit: number },
): Promise<RangeResult> {
  for (let { limit } = options; ; limit = Math.ceil(limit / 4)) {
    try {
      return await store.range(range, { ...options, limit });
    } catch (error) {
      if (!isTooLarge(error) || limit === 1) throw error;
    }
  }
}

/** The answer was more than can be received; asking for less helps. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof StoreError && error.details.tooLarge === true;
}

async function listOnce(store: Store, range: KeyRange, options: ListingOptions): Promise<Listing> {
  const kvs = new Map<string, KeyValue>();
  let limit = options.pageSize;
  let { start } = range;
  let revision = options.revision ?? null;
  for (;;) {
    const page = await readPage(
      store,
      { start, end: range.end },
      { limit, keysOnly: options.keysOnly ?? false, ...(revision === null ? {} : { revision }) },
    );
    options.check?.();
    revision ??= page.revision;
    for (const kv of page.kvs) kvs.set(kv.key, kv);
    const last = page.kvs.at(-1);
    if (!page.more || !last) return { revision, kvs };
    limit = page.kvs.length;
    start = `${last.key}\0`;
  }
}
