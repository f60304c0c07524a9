/**
 * The leases of the in-memory etcd. As in etcd a lease lives in whole seconds and at least 2 s, its end is looked for
 * every 500 ms, and between its end and the next look it still holds its keys but can no longer be renewed.
 */
import type { Clock, Timer } from '../clock.js';
import { refused } from './refusals.js';

export const MIN_TTL_MS = 2000;
export const EXPIRY_CHECK_MS = 500;
/** etcd's `MaxLeaseTTL`. */
const MAX_TTL_MS = 9_000_000_000_000;
/** Real ids use 63 bits; small ones would hide code that rounds them. */
const FIRST_LEASE_ID = 0x694d_7f00_0000_0000n;

interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  expiresAtMs: number;
  readonly keys: Set<string>;
  readonly onRemoved: (() => void)[];
}

export class Leases {
  private readonly leases = new Map<string, Lease>();
  private granted = 0n;
  private timer: Timer | null = null;
  private readonly originMs: number;

  /** `onExpired` must call `remove`. */
  constructor(
    private readonly clock: Clock,
    private readonly onExpired: (leaseId: string) => void,
    private readonly checkMs = EXPIRY_CHECK_MS,
  ) {
    this.originMs = clock.monotonicMs();
  }

  grant(askedMs: number): { leaseId: string; ttlMs: number } {
    if (askedMs > MAX_TTL_MS) throw refused('too large lease TTL');
    const ttlMs = Math.max(MIN_TTL_MS, Math.ceil(askedMs / 1000) * 1000);
    const id = String(FIRST_LEASE_ID + ++this.granted);
    const expiresAtMs = this.clock.monotonicMs() + ttlMs;
    this.leases.set(id, { id, ttlMs, expiresAtMs, keys: new Set(), onRemoved: [] });
    this.scheduleCheck();
    return { leaseId: id, ttlMs };
  }

  has(leaseId: string): boolean {
    return this.leases.has(leaseId);
  }

  /** Ids in order of granting. */
  ids(): string[] {
    return [...this.leases.keys()];
  }

  /** As etcd does, an answer about a lease that is past its end waits until its keys are gone. */
  async keepAlive(leaseId: string): Promise<{ ttlMs: number }> {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return { ttlMs: 0 };
    const now = this.clock.monotonicMs();
    if (now >= lease.expiresAtMs) {
      await new Promise<void>((resolve) => lease.onRemoved.push(resolve));
      return { ttlMs: 0 };
    }
    lease.expiresAtMs = now + lease.ttlMs;
    return { ttlMs: lease.ttlMs };
  }

  /** A new etcd leader knows no remaining times and gives every lease its full time again. */
  renewAll(): void {
    const now = this.clock.monotonicMs();
    for (const lease of this.leases.values()) lease.expiresAtMs = now + lease.ttlMs;
  }

  attach(leaseId: string, key: string): void {
    this.leases.get(leaseId)?.keys.add(key);
  }

  detach(leaseId: string, key: string): void {
    this.leases.get(leaseId)?.keys.delete(key);
  }

  /** Forgets the lease; gives back the keys that must go with it, or null when there is no such lease. */
  remove(leaseId: string): string[] | null {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return null;
    this.leases.delete(leaseId);
    for (const notify of lease.onRemoved) notify();
    if (this.leases.size === 0) {
      this.timer?.cancel();
      this.timer = null;
    }
    return [...lease.keys];
  }

  /** The checks lie on one grid, and stop while there is no lease, so that an idle server leaves no timer behind. */
  private scheduleCheck(): void {
    if (this.timer !== null) return;
    const sinceOrigin = this.clock.monotonicMs() - this.originMs;
    this.timer = this.clock.setTimer(this.checkMs - (sinceOrigin % this.checkMs), () => {
      this.timer = null;
      const now = this.clock.monotonicMs();
      const expired = [...this.leases.values()].filter((lease) => lease.expiresAtMs <= now);
      expired.sort((a, b) => a.expiresAtMs - b.expiresAtMs);
      for (const lease of expired) this.onExpired(lease.id);
      if (this.leases.size > 0) this.scheduleCheck();
    });
  }
}
