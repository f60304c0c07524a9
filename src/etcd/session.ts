/**
 * A node's lease, and for how long it may be relied upon.
 *
 *     trusted ──trust window passed──▶ untrusted ──same lease renewed──▶ trusted
 *        │                                │
 *        └────── server: lease gone ──────┴──▶ ended (final)          any state ── close() ──▶ closed (final)
 *
 * The server ends a lease one TTL after it *received* the last renewal. What the node knows is when it *sent* it, which
 * is earlier. So until `sent + TTL`, by the node's own monotonic clock, the lease cannot have ended, whatever happened
 * to the network, the reply, or the node. The trust window is that, less a margin:
 *
 *     trustedUntil = (time at which the last keepalive that was answered was sent) + TTL − margin
 *
 * The margin, max(500 ms, 15 % of the TTL), is the time in which a node that has lost its trust must be done with
 * what it may do only under trust: notice (timers fire late on a busy event loop, or during a garbage collection), stop
 * leading, and have its processes killed. It also covers the difference in *rate* between two clocks, which is
 * far below it. Their offset does not matter.
 *
 * Invariants
 * - `isTrusted()` is computed from the clock each time, never from a flag that a timer sets: after a freeze of the whole
 *   process it is false at once, before any timer has run.
 * - `onTrustLost` and `onTrustRegained` alternate. `onTrustLost` fires when the window ends even while a keepalive hangs;
 *   `onEnded` comes last, after `onTrustLost`. Nothing is called after `close()`.
 * - Only the server ends a session (TTL 0, or lease not found). After an outage of any length the session keeps trying: a
 *   stopped etcd, and a change of its leader, extend leases, so the keys may still be there, and if the same lease is
 *   renewed they never were released.
 */
import { sleep, type Clock, type Timer } from '../clock.js';
import { EtcronError, messageOf } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';
import { Backoff } from '../backoff.js';
import type { Store } from './store.js';

export interface SessionOptions {
  /** Asked for; the server may grant more. */
  readonly ttlMs: number;
  /** Default `defaultMarginMs` of the granted TTL. */
  readonly marginMs?: number;
  readonly log: Logger;
  /** For jitter. */
  readonly random?: () => number;
}

const MIN_MARGIN_MS = 500;
const MARGIN_SHARE = 0.15;
const FIRST_RETRY_MS = 50;
const REVOKE_DEADLINE_MS = 1_000;

export function defaultMarginMs(ttlMs: number): number {
  return Math.max(MIN_MARGIN_MS, ttlMs * MARGIN_SHARE);
}

type State = 'open' | 'ended' | 'closed';

export class Session {
  private state: State = 'open';
  /** What listeners were last told. */
  private reportedTrust = true;
  private trustTimer: Timer | null = null;
  private readonly abort = new AbortController();
  private readonly marginMs: number;
  private readonly renewing: Promise<void>;
  private closing: Promise<void> | null = null;
  private readonly lostListeners = new Set<() => void>();
  private readonly regainedListeners = new Set<() => void>();
  private readonly renewedListeners = new Set<(trustedUntilMs: number) => void>();
  private readonly endedListeners = new Set<(reason: EtcronError) => void>();
  private trustedUntil = -Infinity;

  private constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    readonly leaseId: string,
    /** As granted. */
    readonly ttlMs: number,
    grantSentAtMs: number,
    private readonly options: SessionOptions,
  ) {
    this.marginMs = options.marginMs ?? defaultMarginMs(ttlMs);
    this.extendTrust(grantSentAtMs, ttlMs);
    this.renewing = this.renewForEver(grantSentAtMs);
  }

  /** Grants a lease and keeps it alive from then on. Rejects with the store's error when none is granted. */
  static async open(store: Store, clock: Clock, options: SessionOptions): Promise<Session> {
    const sentAtMs = clock.monotonicMs();
    const { leaseId, ttlMs } = await store.leaseGrant(options.ttlMs);
    return new Session(store, clock, leaseId, ttlMs, sentAtMs, options);
  }

  /** Until then, on the clock's monotonic time, the lease certainly stands. */
  get trustedUntilMs(): number {
    return this.trustedUntil;
  }

  isTrusted(): boolean {
    return this.trustRemainingMs() > 0;
  }

  /** 0 when the lease is not trusted. */
  trustRemainingMs(): number {
    return this.state === 'open' ? Math.max(0, this.trustedUntil - this.clock.monotonicMs()) : 0;
  }

  /** The server said that the lease is gone: its keys are deleted, and only a new session helps. */
  get ended(): boolean {
    return this.state === 'ended';
  }

  /** Stop at once all that needs the lease. Returns, as the others, the function that ends the subscription. */
  onTrustLost(listener: () => void): () => void {
    return subscribe(this.lostListeners, listener);
  }

  /** The same lease was renewed after all: its keys were never released. */
  onTrustRegained(listener: () => void): () => void {
    return subscribe(this.regainedListeners, listener);
  }

  /** After each renewal, with the new end of the trust window. */
  onRenewed(listener: (trustedUntilMs: number) => void): () => void {
    return subscribe(this.renewedListeners, listener);
  }

  onEnded(listener: (reason: EtcronError) => void): () => void {
    return subscribe(this.endedListeners, listener);
  }

  /** Revokes the lease, so that its keys go at once, if etcd answers soon; it expires otherwise. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.end(true));
  }

  /** Renews the lease no more, and lets it expire. Never rejects. */
  leave(): Promise<void> {
    return (this.closing ??= this.end(false));
  }

  private async end(revoke: boolean): Promise<void> {
    const gone = this.state === 'ended';
    this.state = 'closed';
    this.stopWorking();
    if (revoke && !gone) {
      await this.store
        .leaseRevoke(this.leaseId, { deadlineMs: REVOKE_DEADLINE_MS })
        .catch((error: unknown) => {
          this.options.log.debug(
            { leaseId: this.leaseId, reason: messageOf(error) },
            'the lease was left to expire',
          );
        });
    }
    await this.renewing;
  }

  /** Never rejects; ends with the session. */
  private async renewForEver(grantSentAtMs: number): Promise<void> {
    const { log, random } = this.options;
    const intervalMs = this.ttlMs / 3;
    const backoff = new Backoff(FIRST_RETRY_MS, Math.max(FIRST_RETRY_MS, this.ttlMs / 10), random);
    let failing = false;
    let lastSentAtMs = grantSentAtMs;
    let pauseMs = intervalMs - (this.clock.monotonicMs() - lastSentAtMs);
    for (;;) {
      await sleep(this.clock, pauseMs, this.abort.signal).catch(() => undefined);
      if (this.state !== 'open') return;
      lastSentAtMs = this.clock.monotonicMs();
      try {
        // Two attempts that hang must fit between a keepalive that is due and the end of trust.
        const { ttlMs } = await this.untilClosed(
          this.store.leaseKeepAlive(this.leaseId, { deadlineMs: this.ttlMs / 4 }),
        );
        if (ttlMs <= 0) return this.endByServer();
        this.extendTrust(lastSentAtMs, ttlMs);
        if (failing) log.info({ leaseId: this.leaseId }, 'the lease is being renewed again');
        failing = false;
        backoff.reset();
        pauseMs = intervalMs - (this.clock.monotonicMs() - lastSentAtMs);
      } catch (error) {
        if (this.abort.signal.aborted) return;
        if (error instanceof EtcronError && error.code === 'ETCRON_LEASE_LOST') return this.endByServer();
        if (!failing) {
          log.warn(
            { leaseId: this.leaseId, reason: messageOf(error) },
            'the lease could not be renewed; retrying',
          );
        }
        failing = true;
        pauseMs = backoff.nextMs();
      }
    }
  }

  /** Rejects when the session is closed, so that closing need not wait for a keepalive that hangs. */
  private untilClosed<T>(call: Promise<T>): Promise<T> {
    const { signal } = this.abort;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      call.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  private extendTrust(sentAtMs: number, ttlMs: number): void {
    // First what is so now: after a freeze the end of trust may not have been reported yet.
    this.reportTrust();
    this.trustedUntil = Math.max(this.trustedUntil, sentAtMs + ttlMs - this.marginMs);
    this.tell(this.renewedListeners, this.trustedUntil);
    this.reportTrust();
  }

  /** Tells the listeners when trust came or went, and sets the timer to its end. */
  private reportTrust(): void {
    if (this.state !== 'open') return;
    this.trustTimer?.cancel();
    const remainingMs = this.trustRemainingMs();
    // A timer may fire a little early, hence the new look at the clock when it does.
    if (remainingMs > 0) this.trustTimer = this.clock.setTimer(remainingMs, () => this.reportTrust());
    const trusted = remainingMs > 0;
    if (trusted === this.reportedTrust || this.trustedUntil === -Infinity) return;
    this.reportedTrust = trusted;
    if (trusted) {
      this.options.log.info({ leaseId: this.leaseId }, 'the lease is trusted again: it was renewed in time');
      this.tell(this.regainedListeners);
    } else {
      this.options.log.warn(
        { leaseId: this.leaseId },
        'the lease is not trusted any more: it may end without our knowing',
      );
      this.tell(this.lostListeners);
    }
  }

  /** Another call with the lease was refused because there is none: sooner than the next keepalive would tell. */
  reportGone(): void {
    this.endByServer();
  }

  private endByServer(): void {
    if (this.state !== 'open') return;
    // Then etcd took it away early, or somebody revoked it by hand.
    const wasTrusted = this.isTrusted();
    this.state = 'ended';
    this.stopWorking();
    const reason = new EtcronError(
      'ETCRON_LEASE_LOST',
      `the lease ${this.leaseId} is gone: it expired or was revoked`,
      {
        details: { leaseId: this.leaseId },
      },
    );
    this.options.log.warn({ leaseId: this.leaseId, code: reason.code, wasTrusted }, reason.message);
    if (this.reportedTrust) {
      this.reportedTrust = false;
      this.tell(this.lostListeners);
    }
    this.tell(this.endedListeners, reason);
  }

  /** Nobody hears anything once a listener has closed the session. */
  private tell<Args extends unknown[]>(listeners: ReadonlySet<(...args: Args) => void>, ...args: Args): void {
    for (const listener of [...listeners]) {
      if (this.state !== 'closed') listener(...args);
    }
  }

  private stopWorking(): void {
    this.trustTimer?.cancel();
    this.trustTimer = null;
    this.abort.abort(new Error('the session is over'));
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
