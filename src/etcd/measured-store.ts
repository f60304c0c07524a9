/**
 * A `Store` that counts: how long etcd takes to answer, what fails, how large its database is, and how far this node's watch
 * is behind. It changes nothing of what it passes on.
 *
 * The lag of the watch: when a write of ours into what is mirrored is answered, its revision is remembered; when the watch
 * shows that revision, the time in between is the lag (0 when the watch was faster than the answer). Of at most one write a
 * second, so that it costs nothing.
 */
import type { Clock } from '../clock.js';
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.js';
import { StoreError } from './store-error.js';
import type {
  CallOptions,
  EndpointStatus,
  KeyRange,
  RangeOptions,
  RangeResult,
  Store,
  Txn,
  TxnResult,
  Watch,
  WatchListener,
} from './store.js';

const SAMPLE_EVERY_MS = 1_000;
/** The leader asks each minute; what is older comes from a time in office that is over. */
const STATUS_COUNTS_FOR_MS = 150_000;

type Operation = 'range' | 'txn' | 'lease_grant' | 'lease_keep_alive' | 'lease_revoke' | 'status';

export interface MeasuredStoreOptions {
  readonly metrics: WorkerMetrics;
  readonly clock: Clock;
  /** What the node's watch shows, and in which writes are looked for in it. */
  readonly mirrored: KeyRange;
}

export class MeasuredStore implements Store {
  readonly #store: Store;
  readonly #options: MeasuredStoreOptions;
  readonly #observe: Readonly<Record<Operation, (seconds: number) => void>>;
  /** The write that the watch is to show. */
  #awaited: { readonly revision: number; readonly answeredAtMs: number } | null = null;
  /** Up to where the watch has shown. */
  #shownRevision = 0;
  #sampledAtMs = -Infinity;
  #status: { readonly members: readonly EndpointStatus[]; readonly atMs: number } | null = null;

  constructor(store: Store, options: MeasuredStoreOptions) {
    this.#store = store;
    this.#options = options;
    const requests = options.metrics.get('etcdRequests');
    const observe = (operation: Operation): ((seconds: number) => void) => {
      const child = requests.labels({ operation });
      return (seconds) => child.observe(seconds);
    };
    this.#observe = {
      range: observe('range'),
      txn: observe('txn'),
      lease_grant: observe('lease_grant'),
      lease_keep_alive: observe('lease_keep_alive'),
      lease_revoke: observe('lease_revoke'),
      status: observe('status'),
    };
    options.metrics.onCollect(() => this.#showDatabase());
  }

  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    return this.#measured('range', this.#store.range(range, options));
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    const result = await this.#measured('txn', this.#store.txn(txn, options));
    if (result.succeeded && this.#awaited === null) this.#sample(txn, result.revision);
    return result;
  }

  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch {
    const isMirror = range.start === this.#options.mirrored.start;
    return this.#store.watch(range, fromRevision, {
      onEvents: (events) => {
        listener.onEvents(events);
        const last = events.at(-1);
        if (isMirror && last !== undefined)
          this.#shown(last.type === 'put' ? last.kv.modRevision : last.modRevision);
      },
      onLost: (error) => {
        this.#failed('watch', error);
        listener.onLost(error);
      },
      onConnection: (connected, error) => {
        if (!connected) this.#failed('watch', error);
        listener.onConnection?.(connected, error);
      },
    });
  }

  leaseGrant(ttlMs: number, options?: CallOptions): Promise<{ leaseId: string; ttlMs: number }> {
    return this.#measured('lease_grant', this.#store.leaseGrant(ttlMs, options));
  }

  leaseKeepAlive(leaseId: string, options?: CallOptions): Promise<{ ttlMs: number }> {
    return this.#measured('lease_keep_alive', this.#store.leaseKeepAlive(leaseId, options));
  }

  leaseRevoke(leaseId: string, options?: CallOptions): Promise<void> {
    return this.#measured('lease_revoke', this.#store.leaseRevoke(leaseId, options));
  }

  async status(options?: CallOptions): Promise<EndpointStatus[]> {
    const members = await this.#measured('status', this.#store.status(options));
    this.#status = { members, atMs: this.#options.clock.monotonicMs() };
    return members;
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #measured<T>(operation: Operation, answer: Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const sentAtMs = clock.monotonicMs();
    try {
      return await answer;
    } catch (error) {
      this.#failed(operation, error);
      throw error;
    } finally {
      this.#observe[operation]((clock.monotonicMs() - sentAtMs) / 1_000);
    }
  }

  #failed(operation: Operation | 'watch', error: unknown): void {
    const code = error instanceof StoreError ? error.code : 'ETCRON_INTERNAL';
    this.#options.metrics.get('etcdErrors').inc({ operation, code });
  }

  #sample({ success }: Txn, revision: number): void {
    const { clock, mirrored, metrics } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#sampledAtMs < SAMPLE_EVERY_MS) return;
    const isShown = success.some(
      ({ type, key }) => type !== 'get' && key >= mirrored.start && key < mirrored.end,
    );
    if (!isShown) return;
    this.#sampledAtMs = nowMs;
    if (this.#shownRevision >= revision) metrics.get('watchLag').observe(0);
    else this.#awaited = { revision, answeredAtMs: nowMs };
  }

  #shown(revision: number): void {
    this.#shownRevision = revision;
    if (this.#awaited === null || revision < this.#awaited.revision) return;
    const lagMs = this.#options.clock.monotonicMs() - this.#awaited.answeredAtMs;
    this.#options.metrics.get('watchLag').observe(lagMs / 1_000);
    this.#awaited = null;
  }

  #showDatabase(): void {
    const { metrics, clock } = this.#options;
    const gauges = (['databaseSize', 'databaseInUse', 'databaseQuota', 'databaseFull'] as const).map((key) =>
      metrics.get(key),
    );
    for (const gauge of gauges) gauge.reset();
    if (this.#status === null || clock.monotonicMs() - this.#status.atMs > STATUS_COUNTS_FOR_MS) return;
    for (const { endpoint, dbSizeBytes, dbInUseBytes, quotaBytes, isFull } of this.#status.members) {
      metrics.get('databaseSize').set({ endpoint }, dbSizeBytes);
      metrics.get('databaseInUse').set({ endpoint }, dbInUseBytes);
      metrics.get('databaseQuota').set({ endpoint }, quotaBytes);
      metrics.get('databaseFull').set({ endpoint }, isFull ? 1 : 0);
    }
  }
}
