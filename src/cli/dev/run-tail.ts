/**
 * Follows the run records as they are written, from now on. A history may be long and its records large, so what was
 * there before is not read, and nothing is kept.
 */
import { Backoff } from '../../backoff.js';
import { sleep, type Clock } from '../../clock.js';
import { parseRunId, type FiringId, type Keys } from '../../etcd/keys.js';
import { prefixRange, type Store, type Watch, type WatchEvent } from '../../etcd/store.js';
import { decodeRun, type RunRecord } from '../../history/run-record.js';
import type { Service } from '../../service.js';

export interface RunTailContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  /** `isNew` is false for a record that was amended. */
  readonly onRecord: (id: FiringId, record: RunRecord, isNew: boolean) => void;
  /** Records may have been missed: the watch fell too far behind and went on from a later revision. */
  readonly onGap: () => void;
}

export class RunTail implements Service {
  readonly #context: RunTailContext;
  readonly #abort = new AbortController();
  #watch: Watch | null = null;
  #rejoining: Promise<void> = Promise.resolve();

  constructor(context: RunTailContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    const { store, keys } = this.#context;
    const range = prefixRange(keys.runs);
    const { revision } = await store.range(range, { countOnly: true });
    if (this.#abort.signal.aborted) return;
    this.#watch = store.watch(range, revision + 1, {
      onEvents: (events) => events.forEach((event) => this.#take(event)),
      onLost: () => {
        this.#rejoining = this.#rejoin();
      },
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the tail of the runs was stopped'));
    this.#watch?.close();
    await this.#rejoining;
  }

  #take(event: WatchEvent): void {
    const { keys, onRecord } = this.#context;
    if (event.type !== 'put') return;
    const id = parseRunId(event.kv.key.slice(keys.runs.length));
    const record = decodeRun(event.kv);
    if (id !== null && record.ok) onRecord(id, record.value, event.kv.version === 1);
  }

  /** Never rejects; ends when the tail follows again or was stopped. */
  async #rejoin(): Promise<void> {
    const backoff = new Backoff(100, 5_000);
    this.#context.onGap();
    while (!this.#abort.signal.aborted) {
      try {
        return await this.start();
      } catch {
        await sleep(this.#context.clock, backoff.nextMs(), this.#abort.signal).catch(() => undefined);
      }
    }
  }
}
