import type { Keys } from '../src/etcd/keys.js';
import { parseRunId } from '../src/etcd/keys.js';
import { prefixRange, type Store, type Watch, type WatchEvent } from '../src/etcd/store.js';

/** How long before its due time each firing was planned, as seen from outside: when its key appeared. */
export class PlanWatch {
  readonly #noticeMs = new Map<string, number>();
  readonly #keys: Keys;
  readonly #watch: Watch;
  #lost: Error | null = null;

  constructor(store: Store, keys: Keys, fromRevision: number) {
    this.#keys = keys;
    this.#watch = store.watch(prefixRange(keys.firings), fromRevision, {
      onEvents: (events) => this.#apply(events, Date.now()),
      onLost: (error) => (this.#lost = error),
    });
  }

  /** Of each of the firings, and forgets them all; NaN for one whose planning was not seen. */
  take(runIds: readonly string[]): number[] {
    if (this.#lost !== null) throw this.#lost;
    const found = runIds.map((runId) => this.#noticeMs.get(runId) ?? NaN);
    for (const runId of runIds) this.#noticeMs.delete(runId);
    return found;
  }

  close(): void {
    this.#watch.close();
  }

  #apply(events: readonly WatchEvent[], nowMs: number): void {
    for (const event of events) {
      // Later versions are claims.
      if (event.type === 'delete' || event.kv.version !== 1) continue;
      const runId = event.kv.key.slice(this.#keys.firings.length);
      const id = parseRunId(runId);
      if (id !== null) this.#noticeMs.set(runId, id.dueMs - nowMs);
    }
  }
}
