import { describe, expect, it } from 'vitest';
import { defaultMarginMs, Session } from '../../src/etcd/session.js';
import { StoreError } from '../../src/etcd/store-error.js';
import { put } from '../../src/etcd/txn.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const TTL_MS = 10_000;
const MARGIN_MS = 1_500;

async function setUp() {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const store = etcd.connect();
  const session = await Session.open(store, clock, { ttlMs: TTL_MS, log: silentLogger() });
  const told: string[] = [];
  const note = (what: string) => (): void => void told.push(`${what}@${clock.monotonicMs()}`);
  session.onTrustLost(note('lost'));
  session.onTrustRegained(note('regained'));
  session.onEnded((reason) => note(`ended ${reason.code}`)());
  return { clock, etcd, store, session, told };
}

describe('Session', () => {
  it('has a margin of 15 %, and of half a second for short leases', () => {
    expect(defaultMarginMs(10_000)).toBe(1_500);
    expect(defaultMarginMs(2_000)).toBe(500);
  });

  it('stays trusted as long as etcd answers, renewing every third of the TTL', async () => {
    const { clock, store, session, told } = await setUp();
    const sentAt: number[] = [];
    store.intercept = ({ method, phase }) => {
      if (method === 'leaseKeepAlive' && phase === 'request') sentAt.push(Math.round(clock.monotonicMs()));
    };
    const renewals: number[] = [];
    session.onRenewed((until) => renewals.push(Math.round(until)));
    await clock.advance(20_001);
    expect(sentAt).toEqual([3_333, 6_667, 10_000, 13_333, 16_667, 20_000]);
    expect(renewals).toEqual(sentAt.map((at) => at + TTL_MS - MARGIN_MS));
    expect(session.isTrusted()).toBe(true);
    expect(told).toEqual([]);
    await session.close();
  });

  it('counts trust from when the answered keepalive was sent, not from its answer', async () => {
    const { clock, store, session } = await setUp();
    let release = (): void => undefined;
    store.intercept = ({ method, phase }) => {
      if (method !== 'leaseKeepAlive' || phase !== 'reply') return undefined;
      return new Promise((resolve) => (release = resolve));
    };
    await clock.advance(TTL_MS / 3 + 2_000);
    expect(session.trustedUntilMs).toBe(TTL_MS - MARGIN_MS);
    release();
    await clock.advance(0);
    expect(session.trustedUntilMs).toBeCloseTo(TTL_MS / 3 + TTL_MS - MARGIN_MS);
    await session.close();
  });

  it('loses trust at the end of the window, to the millisecond, while a keepalive hangs', async () => {
    const { clock, store, session, told } = await setUp();
    store.partition(true);
    await clock.advance(TTL_MS - MARGIN_MS - 1);
    expect(session.isTrusted()).toBe(true);
    expect(session.trustRemainingMs()).toBe(1);
    await clock.advance(1);
    expect(session.isTrusted()).toBe(false);
    expect(told).toEqual([`lost@${TTL_MS - MARGIN_MS}`]);
    store.partition(false);
    await session.close();
  });

  it('is trusted again when the same lease is renewed later, and loses it again', async () => {
    const { clock, etcd, store, session, told } = await setUp();
    store.partition(true);
    await clock.advance(9_000);
    // As after a change of etcd's leader: the lease gets its whole TTL again.
    etcd.renewAllLeases();
    await clock.advance(5_000);
    store.partition(false);
    await clock.advance(3_600);
    expect(session.isTrusted()).toBe(true);
    store.partition(true);
    await clock.advance(20_000);
    expect(told.map((line) => line.split('@')[0])).toEqual(['lost', 'regained', 'lost']);
    store.partition(false);
    await session.close();
  });

  it('ends when the server says that the lease is gone, after trust is lost', async () => {
    const { clock, etcd, store, session, told } = await setUp();
    await store.txn({ compare: [], success: [put('/mine', '', session.leaseId)] });
    etcd.leaseRevoke(session.leaseId);
    await clock.advance(TTL_MS / 3 + 1);
    const at = TTL_MS / 3;
    expect(told).toEqual([`lost@${at}`, `ended ETCRON_LEASE_LOST@${at}`]);
    expect([session.ended, session.isTrusted(), session.trustRemainingMs()]).toEqual([true, false, 0]);
    await clock.advance(60_000);
    expect(told).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends when it finds out after a long cut that the lease expired', async () => {
    const { clock, store, session, told } = await setUp();
    store.partition(true);
    await clock.advance(60_000);
    store.partition(false);
    await clock.advance(5_000);
    expect(told.map((line) => line.split('@')[0])).toEqual(['lost', 'ended ETCRON_LEASE_LOST']);
    expect(session.ended).toBe(true);
  });

  it('does not end because of errors, whatever they say', async () => {
    const { clock, store, session, told } = await setUp();
    let tries = 0;
    store.intercept = ({ method }) => {
      if (method !== 'leaseKeepAlive') return;
      tries += 1;
      throw new StoreError('ETCRON_ETCD_AUTH', 'denied', { maybeApplied: false, transient: false });
    };
    await clock.advance(TTL_MS);
    expect(tries).toBeGreaterThan(5);
    expect(session.ended).toBe(false);
    expect(told).toEqual([`lost@${TTL_MS - MARGIN_MS}`]);
    await session.close();
  });

  it('retries a failed keepalive long before the next one would be due', async () => {
    const { clock, store, session } = await setUp();
    let failures = 3;
    store.intercept = ({ method, phase }) => {
      if (method !== 'leaseKeepAlive' || phase !== 'request' || failures-- <= 0) return;
      throw new StoreError('ETCRON_ETCD_UNREACHABLE', 'no', { maybeApplied: false, transient: true });
    };
    await clock.advance(TTL_MS / 3 + 500);
    expect(session.trustedUntilMs).toBeGreaterThan(TTL_MS / 3 + TTL_MS - MARGIN_MS);
    await session.close();
  });

  it('is untrusted at once after a freeze, before any timer has run', async () => {
    const { clock, etcd } = await setUp();
    // A node whose process is stopped: its clock goes on, its timers do not fire.
    let frozenMs = 0;
    const freezing = {
      now: () => clock.now() + frozenMs,
      monotonicMs: () => clock.monotonicMs() + frozenMs,
      setTimer: clock.setTimer.bind(clock),
    };
    const told: string[] = [];
    const session = await Session.open(etcd.connect(), freezing, { ttlMs: TTL_MS, log: silentLogger() });
    session.onTrustLost(() => told.push('lost'));
    session.onTrustRegained(() => told.push('regained'));
    await clock.advance(5_000);
    frozenMs = 30_000;
    expect(session.isTrusted()).toBe(false);
    expect(session.trustRemainingMs()).toBe(0);
    expect(told).toEqual([]);
    // The lease stands (this server was frozen with it): the late keepalive tells both, in this order.
    await clock.advance(TTL_MS / 3);
    expect(told).toEqual(['lost', 'regained']);
    await session.close();
  });

  it('revokes its lease on close, once, and says nothing more', async () => {
    const { clock, etcd, session, told } = await setUp();
    await Promise.all([session.close(), session.close()]);
    expect(etcd.leaseIds()).toEqual([]);
    expect(session.isTrusted()).toBe(false);
    await clock.advance(60_000);
    expect(told).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes within the short deadline when etcd is away and a keepalive hangs', async () => {
    const { clock, store, session } = await setUp();
    store.partition(true);
    await clock.advance(TTL_MS / 3 + 1);
    let closed = false;
    void session.close().then(() => (closed = true));
    await clock.advance(1_000);
    expect(closed).toBe(true);
  });

  it('tells the others nothing when the first listener closes it', async () => {
    const { clock, store, session, told } = await setUp();
    session.onTrustLost(() => void session.close());
    session.onTrustLost(() => told.push('too late'));
    store.partition(true);
    await clock.advance(20_000);
    expect(told).toEqual([`lost@${TTL_MS - MARGIN_MS}`]);
  });

  it('rejects with the error of the store when no lease is granted', async () => {
    const clock = new FakeClock();
    const store = new MemoryEtcd(clock).connect();
    store.intercept = () => {
      throw new StoreError('ETCRON_ETCD_UNREACHABLE', 'no', { maybeApplied: false, transient: true });
    };
    const open = Session.open(store, clock, { ttlMs: TTL_MS, log: silentLogger() });
    await expect(open).rejects.toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
  });
});
