/** A whole range at one revision, however large: read in pages, all pinned to the revision of the first. */
import { StoreError } from './store-error.js';
import type { KeyRange, KeyValue, RangeOptions, Store } from './store.js';

export interface Listing {
  /** The revision at which all of this was so. */
  readonly revision: number;
  readonly kvs: ReadonlyMap<string, KeyValue>;
}

export interface ListingOptions {
  readonly pageSize: number;
  readonly keysOnly?: boolean;
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
      if (!compacted || beginning === MAX_BEGINNINGS) throw error;
    }
  }
}

async function listOnce(store: Store, range: KeyRange, options: ListingOptions): Promise<Listing> {
  const kvs = new Map<string, KeyValue>();
  const request: RangeOptions = { limit: options.pageSize, keysOnly: options.keysOnly ?? false };
  let { start } = range;
  let revision: number | null = null;
  for (;;) {
    const page = await store.range(
      { start, end: range.end },
      revision === null ? request : { ...request, revision },
    );
    options.check?.();
    revision ??= page.revision;
    for (const kv of page.kvs) kvs.set(kv.key, kv);
    const last = page.kvs.at(-1);
    if (!page.more || !last) return { revision, kvs };
    start = `${last.key}\0`;
  }
}
