import type { KeyRange, Store, Watch, WatchEvent } from '../src/etcd/store.js';

export interface Seen {
  /** When it was heard of, on the clock of `performance.now()`; Infinity: not in time. */
  readonly atMs: number;
  readonly event: WatchEvent | null;
}

/** Waits up to `withinMs` for the first change in the range that is as wanted (default: any put). Rejects when the watch is lost. */
export async function watchFor(
  store: Store,
  range: KeyRange,
  fromRevision: number,
  withinMs: number,
  isWanted: (event: WatchEvent) => boolean = (event) => event.type === 'put',
): Promise<Seen> {
  let watch: Watch | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Seen>((resolve, reject) => {
      timer = setTimeout(() => resolve({ atMs: Infinity, event: null }), withinMs);
      watch = store.watch(range, fromRevision, {
        onEvents: (events) => {
          const event = events.find(isWanted);
          if (event) resolve({ atMs: performance.now(), event });
        },
        onLost: reject,
      });
    });
  } finally {
    clearTimeout(timer);
    watch?.close();
  }
}
