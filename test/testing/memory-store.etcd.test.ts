/** The same random calls to a real etcd and to the one in memory must give the same answers, errors and events. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { StoreError } from '../../src/etcd/store-error.js';
import type { Compare, KeyValue, Operation, RangeOptions, Store, WatchEvent } from '../../src/etcd/store.js';
import { createRandom, type Random } from '../../src/random.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { etcdctl, startEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const STEPS = 700;
const KEYS = ['k', 'k/a', 'k/b', 'k/b\0', 'k/c', 'k/é', 'k/\uff5e', 'k/😀'];
const ENDS = [...KEYS, 'k/d', 'l', '\0'];
const EVERYTHING = { start: 'k', end: 'l' };

/** One of the two stores, with names for its leases that do not depend on their ids. */
interface Side {
  store: Store;
  compact(revision: number): Promise<void>;
  leases: string[];
  events: WatchEvent[];
}

describe('the in-memory etcd beside a real one', () => {
  let etcd: Awaited<ReturnType<typeof startEtcd>>;
  let sides: [Side, Side];

  beforeAll(async () => {
    etcd = await startEtcd();
    const server = new MemoryEtcd(new FakeClock());
    const side = (store: Store, compact: Side['compact']): Side => ({
      store,
      compact,
      leases: [],
      events: [],
    });
    sides = [
      side(server.connect(), async (revision) => {
        if (revision <= server.compactRevision) throw new Error('compacted already');
        server.compact(revision);
      }),
      side(new EtcdStore({ endpoints: [new URL(etcd.endpoint).host] }), async (revision) => {
        await etcdctl(['compact', String(revision)], { endpoints: [etcd.endpoint] });
      }),
    ];
  });
  afterAll(async () => {
    for (const { store } of sides) await store.close();
    await etcd.stop();
  });

  it(`answers ${STEPS} random calls alike, and shows the same events`, async () => {
    for (const side of sides) {
      expect((await side.store.range(EVERYTHING)).revision).toBe(1);
      const onLost = (error: Error): void => expect.unreachable(error.message);
      side.store.watch(EVERYTHING, 1, { onEvents: (events) => side.events.push(...events), onLost });
    }
    const random = createRandom('differential');
    const kinds = new Map<string, number>();
    let revision = 1;
    for (let step = 0; step < STEPS; step++) {
      const { kind, call } = randomCall(random, revision);
      const [memory, real] = await Promise.all(sides.map((side) => outcome(side, call)));
      expect(memory, `step ${step}: ${kind}`).toEqual(real);
      const answer = (real ?? {}) as { revision?: number; code?: string; failed?: true };
      revision = Math.max(revision, answer.revision ?? 0);
      const seen = `${kind} ${answer.code ?? (answer.failed ? 'failed' : 'ok')}`;
      kinds.set(seen, (kinds.get(seen) ?? 0) + 1);
    }
    const last = await sides[1].store.txn({
      compare: [],
      success: [{ type: 'put', key: 'k/end', value: '' }],
    });
    await sides[0].store.txn({ compare: [], success: [{ type: 'put', key: 'k/end', value: '' }] });
    for (const { events } of sides) {
      const isLast = (event: WatchEvent): boolean =>
        event.type === 'put' && event.kv.modRevision === last.revision;
      await waitUntil(() => events.some(isLast), { what: 'the last event' });
    }
    const [memory, real] = sides.map((side) => named(side, side.events));
    expect(memory).toEqual(real);
    // The comparison is worth something only if the calls reached all these cases.
    const cases = [
      'txn ok',
      'txn ETCRON_ETCD_REFUSED',
      'txn ETCRON_LEASE_LOST',
      'range ok',
      'range ETCRON_ETCD_REFUSED',
    ];
    for (const seen of [...cases, 'grant ok', 'revoke ok', 'compact ok']) {
      expect(kinds.get(seen) ?? 0, seen).toBeGreaterThan(2);
    }
  });
});

type Call = (side: Side) => Promise<unknown>;

function randomCall(random: Random, revision: number): { kind: string; call: Call } {
  const draw = random.next();
  if (draw < 0.6) {
    const compare = some(random, 3, () => randomCompare(random, revision));
    const success = some(random, 5, () => randomOperation(random));
    const failure = some(random, 5, () => randomOperation(random));
    const call: Call = ({ store, leases }) =>
      store.txn({
        compare: compare.map((each) => each(leases)),
        success: success.map((each) => each(leases)),
        failure: failure.map((each) => each(leases)),
      });
    return { kind: 'txn', call };
  }
  if (draw < 0.88) {
    const options: RangeOptions = { keysOnly: random.chance(0.2), descending: random.chance(0.3) };
    if (random.chance(0.4)) options.limit = random.int(5);
    if (random.chance(0.2)) options.countOnly = true;
    if (random.chance(0.5)) options.revision = Math.max(1, revision + 2 - random.int(60));
    const range = { start: random.pick(KEYS), end: random.pick(ENDS) };
    return { kind: 'range', call: ({ store }) => store.range(range, options) };
  }
  if (draw < 0.92) {
    const call: Call = async ({ store, leases }) => {
      const { leaseId, ttlMs } = await store.leaseGrant(60_500);
      leases.push(leaseId);
      return { ttlMs };
    };
    return { kind: 'grant', call };
  }
  const lease = random.next();
  if (draw < 0.95)
    return { kind: 'revoke', call: ({ store, leases }) => store.leaseRevoke(leaseAt(leases, lease)) };
  if (draw < 0.98)
    return { kind: 'renew', call: ({ store, leases }) => store.leaseKeepAlive(leaseAt(leases, lease)) };
  return { kind: 'compact', call: (side) => side.compact(revision) };
}

function randomCompare(random: Random, revision: number): (leases: string[]) => Compare {
  const target = random.pick(['create', 'mod', 'version', 'lease', 'value'] as const);
  const op = random.pick(['=', '!=', '<', '>'] as const);
  const key = random.pick(KEYS);
  const lease = random.next();
  const to =
    target === 'value'
      ? random.pick(['', 'v1', 'v2', 'é'])
      : random.pick([0, 1, 2, revision, random.int(revision)]);
  return (leases) => ({ key, op, target, to: target === 'lease' ? leaseAt(leases, lease) : to });
}

function randomOperation(random: Random): (leases: string[]) => Operation {
  const key = random.pick(KEYS);
  const draw = random.next();
  const lease = random.next();
  if (draw < 0.6) {
    const value = random.pick(['', 'v1', 'v2', 'é']);
    if (random.chance(0.6)) return () => ({ type: 'put', key, value });
    return (leases) => ({ type: 'put', key, value, leaseId: leaseAt(leases, lease) });
  }
  const end = random.chance(0.3) ? { end: random.pick(ENDS) } : {};
  if (draw < 0.8) return () => ({ type: 'delete', key, ...end });
  const options = { keysOnly: random.chance(0.3), ...(random.chance(0.5) ? { limit: random.int(4) } : {}) };
  return () => ({ type: 'get', key, ...end, ...options });
}

function some<T>(random: Random, limit: number, make: () => T): T[] {
  return Array.from({ length: random.int(limit) }, make);
}

/** The lease at this fraction of the list, the newest ones more often; '0' where there is none. */
function leaseAt(leases: readonly string[], fraction: number): string {
  return leases[Math.floor(Math.sqrt(fraction) * leases.length)] ?? '0';
}

async function outcome(side: Side, call: Call): Promise<unknown> {
  try {
    return named(side, await call(side));
  } catch (error) {
    if (!(error instanceof StoreError)) return { failed: true };
    const { code, maybeApplied, transient, details } = error;
    return { code, maybeApplied, transient, compacted: details['compacted'] };
  }
}

/** With lease ids replaced by the order of their granting. */
function named({ leases }: Side, value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (field, part: unknown) =>
    field === 'leaseId' && part !== null ? leases.indexOf(part as NonNullable<KeyValue['leaseId']>) : part,
  );
}
