/**
 * The run records of the cluster in memory, newest first, kept current by a watch: what lists, charts and the station board
 * are made of. Begins with the first question and ends when nobody asks any more.
 *
 *     start: counted → read in pages (of more than fit, only the newest) → watched from the revision of the count on
 *            of very many the newest are read first: with them it starts, and the rest is read beside what is shown meanwhile
 *     watch lost (compacted): read again, beside what is shown meanwhile
 *
 * What is read beside takes the place of what is shown as a whole; what the watch told meanwhile is applied to it once more.
 * Pages are read at the newest revision each: what changed in between comes once more by the watch, which begins before
 * them. A put that comes twice changes nothing, and a delete takes away what no longer is.
 */
import { Backoff } from '../../backoff.js';
import { sleep } from '../../clock.js';
import { messageOf, type EtcronError } from '../../errors.js';
import { parseRunId, type FiringId } from '../../etcd/keys.js';
import { readPage } from '../../etcd/listing.js';
import { inParallel } from '../../parallel.js';
import { prefixRange, type KeyRange, type KeyValue, type Watch, type WatchEvent } from '../../etcd/store.js';
import { isoText } from '../../etcd/record.js';
import type { Service } from '../../service.js';
import type { ApiContext } from '../context.js';
import { Freshness } from './freshness.js';
import { runItem, type RunItem } from './run-item.js';
import { RunShelf } from './run-shelf.js';

const MAX_RUNS_HELD = 100_000;

export interface RunChanges {
  readonly ended: readonly RunItem[];
  /** Pruned, or removed by somebody. */
  readonly removed: number;
  /** Read anew: anything may have changed. */
  readonly relisted: boolean;
}

type Context = Pick<ApiContext, 'store' | 'keys' | 'clock' | 'log'>;

/** Few enough for whoever waits, and more than anybody looks at. */
const READ_FIRST = 5_000;
const KEYS_PER_PAGE = 5_000;
const RANGES_AT_A_TIME = 8;
const VALUES_PER_PAGE = 500;
/** Names and reasons are few; what is more than this is not worth sharing. */
const MAX_SHARED = 10_000;

export class RunFeed implements Service {
  readonly #context: Context;
  readonly #max: number;
  readonly #readFirst: number;
  readonly #listeners = new Set<(changes: RunChanges) => void>();
  readonly #stopped = new AbortController();
  readonly #shared = new Map<string, string>();
  readonly #freshness: Freshness;
  #shelf: RunShelf;
  #watch: Watch | null = null;
  #revision = 0;
  #relisting: Promise<void> | null = null;
  #completing: Promise<void> | null = null;
  /** What came by the watch since the rest began to be read; null: nothing is being read. */
  #meanwhile: (readonly WatchEvent[])[] | null = null;

  constructor(context: Context, max: number = MAX_RUNS_HELD, readFirst: number = READ_FIRST) {
    this.#context = context;
    this.#max = max;
    this.#readFirst = Math.min(readFirst, max);
    this.#shelf = new RunShelf(max);
    this.#freshness = new Freshness(context.clock);
  }

  /** Since when what is shown may be old, in ms; null while the watch is live. */
  get staleSinceMs(): number | null {
    return this.#freshness.staleSinceMs;
  }

  get shelf(): RunShelf {
    return this.#shelf;
  }

  /** Everything up to here is known. */
  get revision(): number {
    return this.#revision;
  }

  /** All records with due times from here on are held. */
  knowsSince(dueMs: number): boolean {
    const { floorMs } = this.#shelf;
    return floorMs === null || dueMs > floorMs;
  }

  onChange(listener: (changes: RunChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    const isPart = await this.#list(this.#readFirst);
    if (isPart) this.#completing = this.#complete();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the feed was stopped'));
    this.#watch?.close();
    await Promise.all([this.#relisting, this.#completing]);
  }

  /** Reads the newest, at most so many, and follows. Whether there are others that would fit. */
  async #list(most: number): Promise<boolean> {
    const { store, keys } = this.#context;
    const range = prefixRange(keys.runs);
    const { count, revision } = await store.range(range, { countOnly: true });
    this.#shelf = await this.#readShelf(range, count, most);
    this.#revision = revision;
    this.#freshness.heard();
    this.#watch = store.watch(range, revision + 1, {
      onEvents: (events) => this.#apply(events),
      onLost: (error) => this.#listAgain(error),
      onConnection: (connected) => this.#freshness.connected(connected),
    });
    return count > most && most < this.#max;
  }

  /** Reads what the first listing left out. Never rejects; ends early when everything is read anew anyway. */
  async #complete(): Promise<void> {
    const { store, keys, clock, log } = this.#context;
    const { signal } = this.#stopped;
    const range = prefixRange(keys.runs);
    const backoff = new Backoff(100, 5_000, Math.random);
    const meanwhile: (readonly WatchEvent[])[] = [];
    this.#meanwhile = meanwhile;
    while (!signal.aborted && this.#meanwhile === meanwhile) {
      try {
        const { count } = await store.range(range, { countOnly: true });
        const shelf = await this.#readShelf(range, count, this.#max);
        if (this.#meanwhile !== meanwhile) return;
        this.#meanwhile = null;
        for (const events of meanwhile) this.#applyTo(shelf, events);
        this.#shelf = shelf;
        this.#tell({ ended: [], removed: 0, relisted: true });
        return;
      } catch (failure) {
        log.debug({ err: messageOf(failure) }, 'the older run records could not be read; trying again');
        await sleep(clock, backoff.nextMs(), signal).catch(() => undefined);
      }
    }
  }

  async #readShelf(range: KeyRange, count: number, most: number): Promise<RunShelf> {
    const shelf = new RunShelf(this.#max);
    const items = count <= most ? await this.#read(range) : await this.#readNewest(shelf, range, most);
    shelf.putAll(items);
    this.#stopped.signal.throwIfAborted();
    return shelf;
  }

  async #read({ start, end }: KeyRange): Promise<RunItem[]> {
    const { store } = this.#context;
    const items: RunItem[] = [];
    for (let from = start; ;) {
      const page = await readPage(store, { start: from, end }, { limit: VALUES_PER_PAGE });
      this.#stopped.signal.throwIfAborted();
      for (const kv of page.kvs) {
        const item = this.#itemOf(kv);
        if (item) items.push(item);
      }
      const last = page.kvs.at(-1);
      if (!page.more || !last) return items;
      from = `${last.key}\0`;
    }
  }

  /** The keys tell from which due time on they fit; of each job only what is newer is read. */
  async #readNewest(shelf: RunShelf, { start, end }: KeyRange, most: number): Promise<RunItem[]> {
    const { store, keys } = this.#context;
    /** By job, its newest due time. */
    const newest = new Map<string, number>();
    const dueTimes: number[] = [];
    for (let from = start; ;) {
      const page = await readPage(store, { start: from, end }, { limit: KEYS_PER_PAGE, keysOnly: true });
      this.#stopped.signal.throwIfAborted();
      for (const { key } of page.kvs) {
        const id = this.#idOf(key);
        if (!id) continue;
        newest.set(id.job, Math.max(newest.get(id.job) ?? -Infinity, id.dueMs));
        dueTimes.push(id.dueMs);
      }
      const last = page.kvs.at(-1);
      if (!page.more || !last) break;
      from = `${last.key}\0`;
    }
    const sorted = Float64Array.from(dueTimes).sort();
    const floorMs = sorted[Math.max(0, sorted.length - most - 1)] ?? 0;
    shelf.lacksThrough(floorMs);
    const items: RunItem[] = [];
    const jobs = [...newest].filter(([, dueMs]) => dueMs > floorMs).map(([job]) => job);
    await inParallel(jobs, RANGES_AT_A_TIME, async (job) => {
      const ofJob = keys.runsOf(job);
      const newer = await this.#read({ start: `${ofJob.start}${isoText(floorMs + 1)}`, end: ofJob.end });
      for (const item of newer) items.push(item);
    });
    return items;
  }

  #apply(events: readonly WatchEvent[]): void {
    this.#freshness.heard();
    this.#meanwhile?.push(events);
    const { ended, removed } = this.#applyTo(this.#shelf, events);
    const last = events.at(-1);
    if (last) this.#revision = last.type === 'put' ? last.kv.modRevision : last.modRevision;
    this.#tell({ ended, removed, relisted: false });
  }

  #applyTo(shelf: RunShelf, events: readonly WatchEvent[]): Pick<RunChanges, 'ended' | 'removed'> {
    const ended: RunItem[] = [];
    let removed = 0;
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      const id = this.#idOf(key);
      if (!id) continue;
      if (event.type === 'delete') {
        shelf.delete(id);
        removed += 1;
      } else {
        const item = runItem(id, event.kv, this.#share);
        shelf.put(item);
        ended.push(item);
      }
    }
    return { ended, removed };
  }

  #listAgain(error: EtcronError): void {
    const { clock, log } = this.#context;
    this.#watch?.close();
    this.#freshness.connected(false);
    this.#meanwhile = null;
    if (this.#stopped.signal.aborted) return;
    log.debug({ err: error.message }, 'the watch of the run records is lost; reading them again');
    const backoff = new Backoff(100, 5_000, Math.random);
    this.#relisting = (async () => {
      while (!this.#stopped.signal.aborted) {
        try {
          await this.#list(this.#max);
          this.#tell({ ended: [], removed: 0, relisted: true });
          return;
        } catch (failure) {
          log.debug({ err: messageOf(failure) }, 'the run records could not be read; trying again');
          await sleep(clock, backoff.nextMs(), this.#stopped.signal).catch(() => undefined);
        }
      }
    })();
  }

  #tell(changes: RunChanges): void {
    for (const listener of [...this.#listeners]) listener(changes);
  }

  #itemOf(kv: KeyValue): RunItem | null {
    const id = this.#idOf(kv.key);
    return id && runItem(id, kv, this.#share);
  }

  #idOf(key: string): FiringId | null {
    const id = parseRunId(key.slice(this.#context.keys.runs.length));
    return id && { ...id, job: this.#share(id.job) };
  }

  readonly #share = (text: string): string => {
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    if (this.#shared.size >= MAX_SHARED) this.#shared.clear();
    this.#shared.set(text, text);
    return text;
  };
}
