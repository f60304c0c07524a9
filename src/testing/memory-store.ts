/**
 * One client's view of a `MemoryEtcd`: the `Store` of one node, with everything that can go wrong between the two.
 *
 * A call goes out, is applied, and its reply comes back. `intercept` is asked before and after the application: what
 * it awaits is latency, what it throws is a lost request or a lost reply. While `partition(true)` holds nothing passes
 * in either direction: calls end by their deadline, watches fall silent. A request that is merely slow may be applied
 * after its caller has given up, as on a real network.
 */
import type { Clock } from '../clock.js';
import { DEFAULT_QUOTA_BYTES } from '../etcd/database-size.js';
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
} from '../etcd/store.js';
import type { MemoryEtcd } from './memory-etcd.js';
import { MemoryWatch, type Wire } from './memory-watch.js';
import { timedOut, unreachable } from './refusals.js';

export const DEFAULT_DEADLINE_MS = 5000;

export type StoreMethod = 'range' | 'txn' | 'leaseGrant' | 'leaseKeepAlive' | 'leaseRevoke' | 'status';

/** A call on one of its two ways, for `intercept`. */
export interface InterceptedCall {
  readonly client: string;
  readonly method: StoreMethod;
  /** The arguments of the method without the call options. */
  readonly args: readonly unknown[];
  /** `request`: not yet applied. `reply`: applied (or refused). */
  readonly phase: 'request' | 'reply';
}

export type Intercept = (call: InterceptedCall) => void | Promise<void>;

export interface MemoryStoreOptions {
  /** Who this is in the server's history. */
  name?: string;
  /** Measures this client's deadlines; default is the server's clock. */
  clock?: Clock;
  /** Deadline of calls that name none; default 5 s. */
  deadlineMs?: number;
  /** May delay (by awaiting) or fail (by throwing a `StoreError`) any call on either way. */
  intercept?: Intercept;
  /** How long watch events are under way, asked per delivery, in ms; default 0. Their order never changes. */
  watchDelayMs?: () => number;
  /** How watch events come over the wire, asked per delivery; default plain. What the listener hears is the same. */
  wire?: () => Wire;
  /** How long after a cut this client's watches learn of it, in ms of its clock; default 0. */
  noticeMs?: number;
}

type State = 'open' | 'closed' | 'crashed';
type Outcome<T> = { readonly value: T } | { readonly error: Error };

/** What came of a message that got lost: nothing, for ever. A new one each time: a promise keeps all who wait for it. */
const nothing = (): Promise<never> => new Promise(() => undefined);

export class MemoryStore implements Store {
  readonly name: string;
  /** Can be replaced at any time. */
  intercept: Intercept | undefined;
  private readonly clock: Clock;
  private readonly deadlineMs: number;
  private readonly watches = new Set<MemoryWatch>();
  private readonly inFlight = new Set<{ abandon(error: Error | null): void }>();
  private state: State = 'open';
  private partitioned = false;
  /** Grows with each cut: what was under way then is lost, even when the connection is back meanwhile. */
  private cuts = 0;

  constructor(
    private readonly server: MemoryEtcd,
    private readonly options: MemoryStoreOptions,
  ) {
    this.name = options.name ?? 'client';
    this.clock = options.clock ?? server.clock;
    this.deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.intercept = options.intercept;
  }

  range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    const { deadlineMs: _, ...rangeOptions } = options;
    return this.call('range', [range, rangeOptions], options, () => this.server.range(range, rangeOptions));
  }

  txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    return this.call('txn', [txn], options, () => this.server.txn(txn, this.name));
  }

  leaseGrant(ttlMs: number, options?: CallOptions): Promise<{ leaseId: string; ttlMs: number }> {
    return this.call('leaseGrant', [ttlMs], options, () => this.server.leaseGrant(ttlMs, this.name));
  }

  leaseKeepAlive(leaseId: string, options?: CallOptions): Promise<{ ttlMs: number }> {
    return this.call('leaseKeepAlive', [leaseId], options, () => this.server.leaseKeepAlive(leaseId));
  }

  leaseRevoke(leaseId: string, options?: CallOptions): Promise<void> {
    return this.call('leaseRevoke', [leaseId], options, () => this.server.leaseRevoke(leaseId, this.name));
  }

  status(options?: CallOptions): Promise<EndpointStatus[]> {
    return this.call('status', [], options, () => [
      {
        endpoint: 'memory',
        version: '3.4.23',
        dbSizeBytes: 0,
        dbInUseBytes: 0,
        quotaBytes: DEFAULT_QUOTA_BYTES,
        isFull: false,
        isLeader: true,
        memberId: '1',
        raftIndex: String(this.server.history.length),
      },
    ]);
  }

  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch {
    const watch: MemoryWatch = new MemoryWatch(this.server, range, fromRevision, listener, {
      clock: this.clock,
      delayMs: this.options.watchDelayMs ?? (() => 0),
      wire: this.options.wire ?? (() => 'plain'),
      onEnd: () => void this.watches.delete(watch),
    });
    this.watches.add(watch);
    if (this.state !== 'open') watch.close();
    else if (this.partitioned) watch.disconnect(this.options.noticeMs ?? 0);
    else watch.connect();
    return watch;
  }

  /** Cuts this client off, or heals the cut: watches then go on from their own resume points. */
  partition(on: boolean): void {
    if (this.partitioned === on) return;
    this.partitioned = on;
    if (on) this.cuts++;
    for (const watch of [...this.watches]) {
      if (on) watch.disconnect(this.options.noticeMs ?? 0);
      else watch.connect();
    }
  }

  /**
   * The process of this client dies: its calls are never answered, its watches are silent, its leases run out. A
   * request that is already on its way may still be applied.
   */
  crash(): void {
    this.end('crashed', null);
  }

  /** Ends all watches; calls in flight fail as `maybeApplied`. */
  async close(): Promise<void> {
    this.end('closed', unreachable('the store was closed meanwhile', true));
  }

  private end(state: State, error: Error | null): void {
    if (this.state !== 'open') return;
    this.state = state;
    for (const watch of [...this.watches]) watch.close();
    for (const call of [...this.inFlight]) call.abandon(error);
  }

  private call<T>(
    method: StoreMethod,
    args: readonly unknown[],
    options: CallOptions | undefined,
    apply: () => T | Promise<T>,
  ): Promise<T> {
    if (this.state === 'crashed') return nothing();
    if (this.state === 'closed') return Promise.reject(unreachable('the store is closed', false));
    return new Promise<T>((resolve, reject) => {
      const deadlineMs = options?.deadlineMs ?? this.deadlineMs;
      const finish = (outcome: Outcome<T> | null): void => {
        if (!this.inFlight.delete(flight)) return;
        deadline.cancel();
        if (outcome === null) return;
        if ('value' in outcome) resolve(outcome.value);
        else reject(outcome.error);
      };
      const flight = { abandon: (error: Error | null) => finish(error === null ? null : { error }) };
      const deadline = this.clock.setTimer(deadlineMs, () => finish({ error: timedOut(method, deadlineMs) }));
      this.inFlight.add(flight);
      this.exchange(method, args, apply).then(
        (value) => finish({ value }),
        (error: Error) => finish({ error }),
      );
    });
  }

  private async exchange<T>(
    method: StoreMethod,
    args: readonly unknown[],
    apply: () => T | Promise<T>,
  ): Promise<T> {
    const cuts = this.cuts;
    const call = { client: this.name, method, args };
    // Awaited also without an interceptor: nothing may happen inside the caller's own turn.
    await this.intercept?.({ ...call, phase: 'request' });
    if (this.partitioned || this.cuts !== cuts) return nothing();
    const outcome = await attempt(apply);
    await this.intercept?.({ ...call, phase: 'reply' });
    if (this.partitioned || this.cuts !== cuts) return nothing();
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
}

async function attempt<T>(apply: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await apply() };
  } catch (error) {
    return { error: error as Error };
  }
}
