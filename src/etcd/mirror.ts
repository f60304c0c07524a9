/**
 * A copy of one key range in memory, kept current by a watch.
 *
 *     new ──start()──▶ listing ──▶ following ──(watch lost)──▶ listing again ──▶ following …      stop() ──▶ stopped
 *
 * Invariants
 * - What is held is what the range was at `revision`, or, after events of that revision, exactly that: listeners see
 *   whole revisions and never a half of one.
 * - Every difference between two states that were ever visible is announced, once, with what was there before. After a
 *   new listing the differences are computed, since the events in between may no longer exist; several changes of a key
 *   then show as one.
 *
 * Failures
 * - A dropped connection is the store's business: the watch resumes by itself and the mirror is merely behind.
 * - A watch that cannot resume (its revision was compacted) leads to a new listing, retried for ever with backoff.
 * - A defect anywhere (an event lost by a server, a proxy, or us) would stay unnoticed for ever, so a periodic comparison
 *   lists again and repairs what is wrong, loudly. Events may be under way while it lists: only a key that differs, that
 *   no event has touched since the listing began, and that is still so after a grace, counts as wrong.
 */
import { sleep, type Clock } from '../clock.js';
import { EtcronError, messageOf } from '../errors.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import { Backoff } from '../backoff.js';
import { listRange, type Listing } from './listing.js';
import type { KeyRange, KeyValue, Store, Watch, WatchEvent } from './store.js';

export type Change =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly kv: KeyValue;
      /** Null: the mirror did not hold the key before. */
      readonly previous: KeyValue | null;
    }
  | {
      readonly type: 'delete';
      readonly key: string;
      readonly previous: KeyValue;
      /** Of the delete; after a new listing, in which the delete itself is not seen, the revision of the listing. */
      readonly modRevision: number;
    };

export interface ChangeInfo {
  readonly revision: number;
  /** The changes are the differences found by a listing (the first one too), not events as they happened. */
  readonly relisted: boolean;
}

export type ChangeListener = (changes: readonly Change[], info: ChangeInfo) => void;

export interface MirrorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** For the log. */
  readonly name: string;
  readonly pageSize?: number;
  /** Default 10 min, ± 10 %. */
  readonly compareIntervalMs?: number;
  /** How long an event may be under way before its absence counts as a loss; default 15 s. */
  readonly compareGraceMs?: number;
  /** For jitter. */
  readonly random?: () => number;
  /** The watch went live, or is live no more; once per change. */
  readonly onConnection?: (connected: boolean) => void;
}

const PAGE_SIZE = 1_000;
const COMPARE_INTERVAL_MS = 600_000;
const COMPARE_GRACE_MS = 15_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;

/** Without a listing there was nothing; the first revision of etcd is 1. */
const NO_REVISION = 0;

export class Mirror implements Service {
  private readonly held = new Map<string, KeyValue>();
  private readonly listeners = new Set<ChangeListener>();
  private readonly abort = new AbortController();
  private readonly random: () => number;
  private upTo = NO_REVISION;
  private watch: Watch | null = null;
  private isConnected = false;
  /** Keys that events touched while a comparison is under way. */
  private touched: Set<string> | null = null;
  private wasConnected = false;
  private readonly background = new Set<Promise<void>>();

  constructor(
    private readonly store: Store,
    readonly range: KeyRange,
    private readonly options: MirrorOptions,
  ) {
    this.random = options.random ?? Math.random;
  }

  /** Lists once, announces what is there, and follows from then on. Rejects when the listing fails. */
  async start(): Promise<void> {
    this.adopt(await this.list());
    this.inBackground(this.compareForEver());
  }

  async stop(): Promise<void> {
    if (!this.abort.signal.aborted) this.abort.abort(new Error('the mirror was stopped'));
    this.watch?.close();
    this.watch = null;
    await Promise.all(this.background);
  }

  get(key: string): KeyValue | undefined {
    return this.held.get(key);
  }

  /** In no particular order. */
  entries(): IterableIterator<[string, KeyValue]> {
    return this.held.entries();
  }

  get size(): number {
    return this.held.size;
  }

  /** What is held is complete up to this revision: that of the listing, or of the last event. 0 before `start`. */
  get revision(): number {
    return this.upTo;
  }

  /** The watch is live; otherwise what is held may be old. */
  get connected(): boolean {
    return this.isConnected;
  }

  /** Called after each batch has been applied as a whole, never with an empty one. Returns the function that ends it. */
  onChange(listener: ChangeListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Rejects at once when the mirror is stopped; a call under way then ends unheard. */
  private list(keysOnly = false): Promise<Listing> {
    const { signal } = this.abort;
    const pageSize = this.options.pageSize ?? PAGE_SIZE;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error);
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      listRange(this.store, this.range, { pageSize, keysOnly, check: () => signal.throwIfAborted() })
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  /** `work` must not reject. */
  private inBackground(work: Promise<void>): void {
    this.background.add(work);
    void work.then(() => this.background.delete(work));
  }

  /** Becomes what was listed, announces the differences, and watches on. */
  private adopt(listing: Listing): void {
    this.abort.signal.throwIfAborted();
    const changes: Change[] = [];
    for (const [key, previous] of this.held) {
      if (listing.kvs.has(key)) continue;
      this.held.delete(key);
      changes.push({ type: 'delete', key, previous, modRevision: listing.revision });
    }
    for (const [key, kv] of listing.kvs) {
      const previous = this.held.get(key) ?? null;
      if (previous !== null && sameVersion(previous, kv)) continue;
      this.held.set(key, kv);
      changes.push({ type: 'put', key, kv, previous });
    }
    this.upTo = listing.revision;
    this.announce(changes, true);
    // A listener may have stopped the mirror.
    if (!this.abort.signal.aborted) this.follow();
  }

  private follow(): void {
    this.watch = this.store.watch(this.range, this.upTo + 1, {
      onEvents: (events) => this.apply(events),
      onLost: (error) => {
        this.watch = null;
        this.setConnected(false, error);
        this.inBackground(this.listAgain());
      },
      onConnection: (connected, error) => this.setConnected(connected, error),
    });
  }

  private apply(events: readonly WatchEvent[]): void {
    const changes: Change[] = [];
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      const previous = this.held.get(key) ?? null;
      this.touched?.add(key);
      this.upTo = event.type === 'put' ? event.kv.modRevision : event.modRevision;
      if (event.type === 'put') {
        this.held.set(key, event.kv);
        changes.push({ type: 'put', key, kv: event.kv, previous });
      } else if (previous !== null) {
        this.held.delete(key);
        changes.push({ type: 'delete', key, previous, modRevision: event.modRevision });
      }
    }
    this.announce(changes, false);
  }

  private announce(changes: readonly Change[], relisted: boolean): void {
    if (changes.length === 0) return;
    const info = { revision: this.upTo, relisted };
    for (const listener of [...this.listeners]) {
      try {
        listener(changes, info);
      } catch (error) {
        this.options.log.error({ err: error, mirror: this.options.name }, 'a listener of the mirror failed');
      }
    }
  }

  /** Never rejects; ends when the mirror is current again or stopped. */
  private async listAgain(): Promise<void> {
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS, this.random);
    let failed = false;
    while (!this.abort.signal.aborted) {
      try {
        const listing = await this.list();
        if (failed)
          this.options.log.info({ mirror: this.options.name }, 'the view of etcd could be listed again');
        this.adopt(listing);
        return;
      } catch (error) {
        if (this.abort.signal.aborted) return;
        if (!failed) this.logProblem('the view of etcd is out of date and cannot be listed; retrying', error);
        failed = true;
        await this.pause(backoff.nextMs());
      }
    }
  }

  private async compareForEver(): Promise<void> {
    const intervalMs = this.options.compareIntervalMs ?? COMPARE_INTERVAL_MS;
    for (;;) {
      await this.pause(intervalMs * (0.9 + this.random() / 5));
      if (this.abort.signal.aborted) return;
      this.touched = new Set();
      try {
        await this.compare(this.touched);
      } catch (error) {
        if (!this.abort.signal.aborted) {
          this.options.log.debug(
            { mirror: this.options.name, reason: messageOf(error) },
            'the comparison with etcd failed',
          );
        }
      } finally {
        this.touched = null;
      }
    }
  }

  private async compare(touched: ReadonlySet<string>): Promise<void> {
    const { watch } = this;
    const listing = await this.list(true);
    let wrong = this.differences(listing, touched);
    if (wrong.length > 0) {
      await this.pause(this.options.compareGraceMs ?? COMPARE_GRACE_MS);
      wrong = wrong.filter((key) => !touched.has(key));
    }
    const wentBack = listing.revision < this.upTo && touched.size === 0;
    // Without a live watch, or with a new one, differences are no news.
    const comparable = watch !== null && this.watch === watch && this.isConnected;
    if (this.abort.signal.aborted || !comparable || (wrong.length === 0 && !wentBack)) return;
    this.options.log.error(
      { mirror: this.options.name, keys: wrong.slice(0, 10), count: wrong.length, revision: this.upTo },
      'the view of etcd was wrong: events were lost, or etcd was restored from a backup; listing again',
    );
    watch.close();
    this.watch = null;
    await this.listAgain();
  }

  private differences(listing: Listing, touched: ReadonlySet<string>): string[] {
    const differs = (key: string): boolean => {
      const listed = listing.kvs.get(key);
      const held = this.held.get(key);
      return !(listed && held && sameVersion(listed, held)) && !touched.has(key);
    };
    return [...new Set([...listing.kvs.keys(), ...this.held.keys()])].filter(differs);
  }

  private setConnected(connected: boolean, error?: EtcronError): void {
    const was = this.isConnected;
    this.isConnected = connected;
    if (this.abort.signal.aborted || was === connected) return;
    this.options.onConnection?.(connected);
    if (!connected) this.logProblem('the view of etcd is not updated any more; retrying', error);
    else if (this.wasConnected) {
      this.options.log.info({ mirror: this.options.name }, 'the view of etcd is being updated again');
    }
    this.wasConnected ||= connected;
  }

  private logProblem(message: string, error: unknown): void {
    const code = error instanceof EtcronError ? error.code : undefined;
    const reason = error === undefined ? undefined : messageOf(error);
    this.options.log.warn({ mirror: this.options.name, code, reason }, message);
  }

  /** Returns early when the mirror is stopped. */
  private async pause(delayMs: number): Promise<void> {
    await sleep(this.options.clock, delayMs, this.abort.signal).catch(() => undefined);
  }
}

/** Versions begin again after a restore or a delete, so the creation counts too. */
function sameVersion(a: KeyValue, b: KeyValue): boolean {
  return a.modRevision === b.modRevision && a.createRevision === b.createRevision && a.version === b.version;
}
