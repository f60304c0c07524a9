import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { EtcdStore, type EtcdStoreOptions } from '../../src/etcd/etcd-store.js';
import { Mirror } from '../../src/etcd/mirror.js';
import { StoreError } from '../../src/etcd/store-error.js';
import { prefixRange, singleKey, type Store } from '../../src/etcd/store.js';
import { absent, get, put } from '../../src/etcd/txn.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { etcdctl, startEtcd, startEtcdCluster, type RunningEtcd } from '../support/etcd.js';
import { RecordedWatch, rejection } from './conformance.js';
import { TcpLink } from '../support/tcp-link.js';

/** Of calls whose outcome, not whose speed, is the point. */
const PATIENT_MS = 30_000;

const closing: { close?(): unknown; stop?(): unknown }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await (each.close ?? each.stop)?.call(each);
});

function later<T extends { close?(): unknown; stop?(): unknown }>(each: T): T {
  closing.push(each);
  return each;
}

const addressOf = (endpoint: string): string => new URL(endpoint).host;

/** Begins with the first endpoint. */
function open(endpoints: readonly string[], options: Partial<EtcdStoreOptions> = {}): EtcdStore {
  return later(new EtcdStore({ endpoints, callDeadlineMs: PATIENT_MS, random: () => 0, ...options }));
}

const write = async (store: Store, key: string, value: string): Promise<number> =>
  (await store.txn({ compare: [], success: [put(key, value)] })).revision;

const latest = async (store: Store): Promise<number> => (await store.range(singleKey('/none'))).revision;

/** Repeats a write until it is surely there. */
async function writeInTheEnd(store: Store, key: string, value: string): Promise<void> {
  for (;;) {
    try {
      await write(store, key, value);
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || !error.transient) throw error;
    }
  }
}

/** A watch that begins anew sees history as it was: what a watch that lived through everything must have seen. */
async function expectNothingLostOrRepeated(
  lived: RecordedWatch,
  store: Store,
  fromRevision: number,
): Promise<void> {
  await writeInTheEnd(store, '/w/end', 'end');
  // A write that was given up on may still be applied, even after the end.
  const upToTheEnd = ({ log }: RecordedWatch): string[] =>
    log.slice(0, log.findIndex((line) => line.startsWith('put end=end')) + 1);
  const atTheEnd = (watch: RecordedWatch): boolean => upToTheEnd(watch).length > 0;
  await lived.until(atTheEnd);
  const fresh = later(new RecordedWatch(store, prefixRange('/w/'), fromRevision));
  await fresh.until(atTheEnd);
  expect(upToTheEnd(lived)).toEqual(upToTheEnd(fresh));
}

describe('one etcd', () => {
  let etcd: RunningEtcd;
  let address: string;
  beforeAll(async () => {
    etcd = await startEtcd();
    address = addressOf(etcd.endpoint);
  });
  afterAll(() => etcd.stop());

  it('killed and restarted with its data: a watch goes on with nothing lost and nothing twice', async () => {
    const store = open([address]);
    const from = (await latest(store)) + 1;
    const watch = later(new RecordedWatch(store, prefixRange('/w/'), from));
    for (let index = 0; index < 50; index += 1) await write(store, '/w/a', String(index));
    await watch.until(({ events }) => events.length >= 25);
    await etcd.kill('SIGKILL');
    await watch.until(({ connections }) => connections.at(-1) === false);
    await etcd.restart();
    const other = open([address]);
    for (let index = 50; index < 100; index += 1) await write(other, '/w/a', String(index));
    await expectNothingLostOrRepeated(watch, store, from);
    expect(watch.connections).toEqual([true, false, true]);
    expect(watch.events.length).toBeGreaterThanOrEqual(101);
  });

  it('a watch that is cut in the middle of a catch-up loses nothing', async () => {
    const direct = open([address]);
    const from = (await latest(direct)) + 1;
    for (let index = 0; index < 60; index += 1) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => write(direct, `/w/${n}`, String(index))));
    }
    const link = later(await TcpLink.start(address));
    const watch = later(new RecordedWatch(open([link.address]), prefixRange('/w/'), from));
    for (const seen of [1, 1_000, 2_000]) {
      await watch.until(({ events }) => events.length >= seen);
      link.cut();
      link.heal();
    }
    await watch.until(({ events }) => events.length >= 3_000);
    await expectNothingLostOrRepeated(watch, direct, from);
  });

  it('a silent connection does not silence a watch', async () => {
    const direct = open([address]);
    const link = later(await TcpLink.start(address));
    const from = (await latest(direct)) + 1;
    const watch = later(new RecordedWatch(open([link.address]), prefixRange('/w/'), from));
    await watch.until(({ connections }) => connections.length === 1);
    link.silence();
    await write(direct, '/w/a', 'while silent');
    await watch.until(({ connections }) => connections.at(-1) === false);
    link.heal();
    await expectNothingLostOrRepeated(watch, direct, from);
  });

  it('a mirror survives a compaction during which it was cut off', async () => {
    const direct = open([address]);
    await write(direct, '/m/changed', '1');
    await write(direct, '/m/deleted', '1');
    const link = later(await TcpLink.start(address));
    const options = { clock: systemClock, log: silentLogger(), name: 'test', pageSize: 2 };
    const mirror = later(new Mirror(open([link.address]), prefixRange('/m/'), options));
    const changes: string[] = [];
    await mirror.start();
    const relisted = new Promise<void>((resolve) =>
      mirror.onChange((batch, info) => {
        for (const change of batch) changes.push(`${change.type} ${change.key}`);
        if (info.relisted) resolve();
      }),
    );
    link.cut();
    for (const value of ['2', '3']) await write(direct, '/m/changed', value);
    await direct.txn({ compare: [], success: [{ type: 'delete', key: '/m/deleted' }] });
    const last = await write(direct, '/m/new', '1');
    await etcdctl(['compact', String(last)], { endpoints: [etcd.endpoint] });
    link.heal();
    await relisted;
    expect(changes.sort()).toEqual(['delete /m/deleted', 'put /m/changed', 'put /m/new']);
    expect(mirror.revision).toBeGreaterThanOrEqual(last);
    const { kvs } = await direct.range(prefixRange('/m/'));
    expect([...mirror.entries()].map(([, kv]) => kv).sort((a, b) => a.key.localeCompare(b.key))).toEqual(kvs);
  });

  it('an endpoint that accepts and never answers costs a part of the deadline, once', async () => {
    const hole = later(await TcpLink.start());
    const store = open([hole.address, address], { dialDeadlineMs: 300 });
    const watch = later(new RecordedWatch(store, prefixRange('/w/'), (await latest(direct())) + 1));
    await write(store, '/w/a', 'through the other');
    await store.range(prefixRange('/w/'));
    const { leaseId } = await store.leaseGrant(60_000);
    expect((await store.leaseKeepAlive(leaseId)).ttlMs).toBe(60_000);
    await watch.until(({ events }) => events.length >= 1);
  });
  const direct = (): EtcdStore => open([address]);

  it('an endpoint that refuses connections fails no write', async () => {
    const closed = await TcpLink.start();
    const { address: nobody } = closed;
    await closed.stop();
    const store = open([nobody, nobody, address]);
    expect(await write(store, '/w/a', '1')).toBeGreaterThan(0);
    expect((await store.status()).map(({ endpoint }) => endpoint)).toEqual([address]);
  });

  it('no endpoint that answers: an error within the deadline, and surely nothing applied', async () => {
    const hole = later(await TcpLink.start());
    const store = open([hole.address], { callDeadlineMs: 300 });
    const expected = { code: 'ETCRON_ETCD_TIMEOUT', maybeApplied: false, transient: true };
    expect(await rejection(write(store, '/w/a', '1'))).toMatchObject(expected);
    expect(await rejection(store.range(prefixRange('/w/')))).toMatchObject(expected);
    expect(await rejection(store.leaseKeepAlive('1'))).toMatchObject({ transient: true });
    expect((await rejection(store.status())).message).toContain(hole.address);
  });

  it('a write whose answer does not come may have been applied, and is not repeated', async () => {
    const link = later(await TcpLink.start(address));
    const store = open([link.address, address]);
    await write(store, '/w/a', 'connected');
    link.silence();
    const error = await rejection(
      store.txn({ compare: [], success: [put('/w/once', '')] }, { deadlineMs: 500 }),
    );
    expect(error).toMatchObject({ code: 'ETCRON_ETCD_TIMEOUT', maybeApplied: true, transient: true });
    expect((await store.range(singleKey('/w/once'))).kvs).toEqual([]);
    expect(await write(store, '/w/a', 'on the other endpoint')).toBeGreaterThan(0);
  });

  it('a write whose answer is lost with the connection is not repeated either', async () => {
    const direct = open([address]);
    const link = later(await TcpLink.start(address));
    const store = open([link.address, address]);
    const from = (await latest(store)) + 1;
    const watch = later(new RecordedWatch(direct, prefixRange('/w/'), from));
    link.swallowAnswers();
    const writing = rejection(store.txn({ compare: [], success: [put('/w/applied', '')] }));
    await watch.until(({ events }) => events.length === 1);
    link.cut();
    expect(await writing).toMatchObject({
      code: 'ETCRON_ETCD_UNREACHABLE',
      maybeApplied: true,
      transient: true,
    });
    expect((await direct.range(singleKey('/w/applied'))).kvs[0]).toMatchObject({ version: 1 });
  });

  it('ten clients race for one key: one wins, and the others learn who', async () => {
    const clients = Array.from({ length: 10 }, (_, index) => ({
      name: `node-${index}`,
      store: open([address]),
    }));
    const results = await Promise.all(
      clients.map(({ name, store }) =>
        store.txn({ compare: [absent('/lock')], success: [put('/lock', name)], failure: [get('/lock')] }),
      ),
    );
    const winner = results.findIndex((result) => result.succeeded);
    expect(results.filter((result) => result.succeeded)).toHaveLength(1);
    for (const [
      index,
      {
        results: [first],
        succeeded,
      },
    ] of results.entries()) {
      if (succeeded) continue;
      expect(index).not.toBe(winner);
      if (first?.type !== 'get') throw new Error('expected a get');
      expect(first.kvs[0]!.value.toString()).toBe(`node-${winner}`);
      expect(first.kvs[0]!.createRevision).toBe(results[winner]!.revision);
    }
  });

  it('a closed store rejects what is under way and what comes', async () => {
    const hole = later(await TcpLink.start());
    const store = open([hole.address]);
    const underWay = rejection(store.range(prefixRange('/w/')));
    await store.close();
    expect((await underWay).code).toMatch(/^ETCRON_ETCD_/);
    expect(await rejection(store.range(prefixRange('/w/')))).toMatchObject({
      transient: false,
      maybeApplied: false,
    });
  });
});

describe('three etcd members', () => {
  it('lose their leader, then each in turn: what was acknowledged is there, what was refused is not', async () => {
    const cluster = later(await startEtcdCluster(3));
    const addresses = cluster.endpoints.map(addressOf);
    const store = open(addresses, { callDeadlineMs: 3_000 });
    const patient = open(addresses);
    const from = (await latest(patient)) + 1;
    const watch = later(new RecordedWatch(store, prefixRange('/w/'), from));

    const acknowledged = new Map<string, number>();
    const refused: string[] = [];
    let done = false;
    const writer = async (name: string): Promise<void> => {
      for (let index = 0; !done; index += 1) {
        const key = `/w/${name}-${index}`;
        try {
          acknowledged.set(key, await write(store, key, ''));
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          if (!error.maybeApplied) refused.push(key);
        }
      }
    };
    const writers = ['a', 'b', 'c', 'd'].map(writer);
    await watch.until(({ events }) => events.length >= 100);

    const leader = await cluster.leader();
    await leader.kill('SIGKILL');
    const seen = watch.events.length;
    await watch.until(({ events }) => events.length >= seen + 100);
    await leader.restart();
    for (const member of cluster.members) {
      await member.restart();
      const before = watch.events.length;
      await watch.until(({ events }) => events.length >= before + 50);
    }
    done = true;
    await Promise.all(writers);

    await expectNothingLostOrRepeated(watch, patient, from);
    const { kvs } = await patient.range(prefixRange('/w/'));
    const present = new Map(kvs.map((kv) => [kv.key, kv]));
    for (const [key, revision] of acknowledged) expect(present.get(key)?.modRevision).toBe(revision);
    expect(refused.filter((key) => present.has(key))).toEqual([]);
    // A write that was repeated inside would show as a second version.
    expect(kvs.filter((kv) => kv.version > 1 && kv.key !== '/w/end')).toEqual([]);
  }, 180_000);

  it('with one frozen: calls and watches go on with the others', async () => {
    const cluster = later(await startEtcdCluster(3));
    const [frozen] = cluster.members;
    const store = open(cluster.endpoints.map(addressOf));
    const from = (await latest(store)) + 1;
    const watch = later(new RecordedWatch(store, prefixRange('/w/'), from));
    await write(store, '/w/a', 'before');
    await watch.until(({ events }) => events.length === 1);
    frozen!.pause();
    expect(
      await rejection(store.txn({ compare: [], success: [put('/w/b', '')] }, { deadlineMs: 500 })),
    ).toMatchObject({
      maybeApplied: true,
      transient: true,
    });
    // The frozen one may have been the leader: the others then refuse writes until they have elected another.
    await writeInTheEnd(store, '/w/c', 'after');
    await watch.until(({ log }) => log.some((line) => line.includes('c=after')));
    frozen!.resume();
    await expectNothingLostOrRepeated(watch, store, from);
  }, 120_000);
});
