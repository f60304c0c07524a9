import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mirror, type Change, type ChangeInfo, type MirrorOptions } from '../../src/etcd/mirror.js';
import { StoreError } from '../../src/etcd/store-error.js';
import { prefixRange, type Operation, type Store, type WatchListener } from '../../src/etcd/store.js';
import { del, put } from '../../src/etcd/txn.js';
import { createLogger, silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const RANGE = prefixRange('/m/');

function setUp(options: Partial<MirrorOptions> = {}, wrap: (store: Store) => Store = (store) => store) {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const store = etcd.connect();
  const lines: { msg: string; level: number }[] = [];
  const log = createLogger({
    destination: {
      write: (line: string) => void lines.push(JSON.parse(line) as { msg: string; level: number }),
    },
  });
  const mirror = new Mirror(wrap(store), RANGE, { clock, log, name: 'test', random: () => 0.5, ...options });
  const batches: { changes: readonly Change[]; info: ChangeInfo }[] = [];
  mirror.onChange((changes, info) => batches.push({ changes, info }));
  const write = (...operations: Operation[]) => etcd.txn({ compare: [], success: operations }).revision;
  return { clock, etcd, store, mirror, batches, write, lines };
}

function describeChange(change: Change): string {
  const before = change.previous ? change.previous.value.toString() : '-';
  return change.type === 'put'
    ? `${change.key}: ${before} → ${change.kv.value.toString()}`
    : `${change.key}: ${before} → gone`;
}

function contents(mirror: Mirror): Record<string, string> {
  return Object.fromEntries([...mirror.entries()].map(([key, kv]) => [key, kv.value.toString()]));
}

function truth(etcd: MemoryEtcd): Record<string, string> {
  return Object.fromEntries(etcd.range(RANGE).kvs.map((kv) => [kv.key, kv.value.toString()]));
}

describe('Mirror', () => {
  it('announces what is there, then each batch, after it has been applied as a whole', async () => {
    const { clock, mirror, batches, write } = setUp();
    const listed = write(put('/m/a', '1'), put('/m/b', '1'), put('/other', '1'));
    const seen: number[] = [];
    mirror.onChange(() => seen.push(mirror.size));
    await mirror.start();
    expect(mirror.revision).toBe(listed);
    expect(batches[0]!.info).toEqual({ revision: listed, relisted: true });
    expect(batches[0]!.changes.map(describeChange)).toEqual(['/m/a: - → 1', '/m/b: - → 1']);
    const changed = write(put('/m/a', '2'), del('/m/b'), put('/m/c', '1'), put('/m/d', '1'));
    await clock.advance(0);
    expect(batches[1]!.info).toEqual({ revision: changed, relisted: false });
    expect(batches[1]!.changes.map(describeChange)).toEqual([
      '/m/a: 1 → 2',
      '/m/b: 1 → gone',
      '/m/c: - → 1',
      '/m/d: - → 1',
    ]);
    expect(seen).toEqual([2, 3]);
    expect(mirror.revision).toBe(changed);
    expect(mirror.get('/m/a')!.value.toString()).toBe('2');
    expect(mirror.get('/m/b')).toBeUndefined();
    await mirror.stop();
  });

  it('lists in pages at one revision, while others write', async () => {
    const { clock, etcd, store, mirror, batches, write } = setUp({ pageSize: 7 });
    for (let index = 0; index < 40; index += 1) write(put(`/m/${String(index).padStart(2, '0')}`, 'old'));
    let pages = 0;
    store.intercept = ({ method, phase }) => {
      if (method !== 'range' || phase !== 'reply') return;
      pages += 1;
      write(
        put('/m/39', `new ${pages}`),
        put(`/m/late ${pages}`, ''),
        ...(pages === 1 ? [del('/m/20')] : []),
      );
    };
    await mirror.start();
    expect(pages).toBe(6);
    expect(batches[0]!.changes).toHaveLength(40);
    await clock.advance(0);
    expect(contents(mirror)).toEqual(truth(etcd));
    await mirror.stop();
  });

  it('begins the listing again when its revision is compacted between two pages', async () => {
    const { etcd, store, mirror, write } = setUp({ pageSize: 2 });
    for (const part of ['a', 'b', 'c', 'd', 'e']) write(put(`/m/${part}`, ''));
    let pages = 0;
    store.intercept = ({ method, phase }) => {
      if (method !== 'range' || phase !== 'reply') return;
      pages += 1;
      if (pages === 1) etcd.compact(write(put('/m/f', '')));
    };
    await mirror.start();
    expect(mirror.size).toBe(6);
    await mirror.stop();
  });

  it('merely falls behind while it is cut off, and logs once per change', async () => {
    const { clock, etcd, store, mirror, batches, write, lines } = setUp();
    await mirror.start();
    store.partition(true);
    write(put('/m/a', '1'));
    write(put('/m/a', '2'));
    await clock.advance(60_000);
    expect([mirror.size, mirror.connected]).toEqual([0, false]);
    store.partition(false);
    await clock.advance(0);
    expect(contents(mirror)).toEqual(truth(etcd));
    expect(batches.flatMap((batch) => batch.changes.map(describeChange))).toEqual([
      '/m/a: - → 1',
      '/m/a: 1 → 2',
    ]);
    expect(batches.every((batch) => !batch.info.relisted)).toBe(true);
    expect(lines.map((line) => line.level)).toEqual([40, 30]);
    await mirror.stop();
  });

  it('lists again after a compaction while it was cut off, and announces the differences as one batch', async () => {
    const { clock, etcd, store, mirror, batches, write } = setUp();
    write(put('/m/changed', '1'), put('/m/deleted', '1'), put('/m/same', '1'), put('/m/again', '1'));
    await mirror.start();
    store.partition(true);
    write(put('/m/changed', '2'));
    write(put('/m/changed', '3'), del('/m/deleted'), put('/m/new', '1'), del('/m/again'));
    const last = write(put('/m/again', '1'));
    etcd.compact();
    store.partition(false);
    await clock.advance(0);
    expect(batches).toHaveLength(2);
    expect(batches[1]!.info).toEqual({ revision: last, relisted: true });
    expect(batches[1]!.changes.map(describeChange).sort()).toEqual([
      '/m/again: 1 → 1',
      '/m/changed: 1 → 3',
      '/m/deleted: 1 → gone',
      '/m/new: - → 1',
    ]);
    write(put('/m/new', '2'));
    await clock.advance(0);
    expect(batches[2]!.changes.map(describeChange)).toEqual(['/m/new: 1 → 2']);
    expect(contents(mirror)).toEqual(truth(etcd));
    await mirror.stop();
  });

  it('retries the new listing for ever, with one line in the log for the failure and one for the success', async () => {
    const { clock, etcd, store, mirror, write, lines } = setUp();
    await mirror.start();
    store.partition(true);
    write(put('/m/a', '1'));
    write(put('/m/a', '2'));
    etcd.compact();
    store.partition(false);
    let tries = 0;
    store.intercept = ({ method, phase }) => {
      if (method !== 'range' || phase !== 'request') return;
      tries += 1;
      throw new StoreError('ETCRON_ETCD_UNREACHABLE', 'no', { maybeApplied: false, transient: true });
    };
    await clock.advance(60_000);
    expect(tries).toBeGreaterThan(10);
    const before = lines.length;
    store.intercept = undefined;
    await clock.advance(10_000);
    expect(contents(mirror)).toEqual({ '/m/a': '2' });
    expect(lines.slice(0, before).filter((line) => line.msg.includes('cannot be listed'))).toHaveLength(1);
    expect(lines.slice(before).map((line) => line.msg)).toEqual([
      'the view of etcd could be listed again',
      'the view of etcd is being updated again',
    ]);
    await mirror.stop();
  });

  it('rejects when the first listing fails, and leaves nothing behind', async () => {
    const { clock, store, mirror } = setUp();
    store.intercept = () => {
      throw new StoreError('ETCRON_ETCD_UNREACHABLE', 'no', { maybeApplied: false, transient: true });
    };
    await expect(mirror.start()).rejects.toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
    expect(clock.pendingTimers).toBe(0);
    await mirror.stop();
  });

  it('can be stopped before, during and after the start, twice', async () => {
    const never = setUp();
    await never.mirror.stop();
    await expect(never.mirror.start()).rejects.toThrow('stopped');

    const during = setUp();
    during.store.partition(true);
    const starting = expect(during.mirror.start()).rejects.toThrow('stopped');
    await during.mirror.stop();
    await starting;

    const after = setUp();
    await after.mirror.start();
    await Promise.all([after.mirror.stop(), after.mirror.stop()]);
    after.write(put('/m/a', '1'));
    await after.clock.advance(3_600_000);
    expect(after.batches).toEqual([]);
    expect(after.clock.pendingTimers).toBe(0);
  });

  it('goes on when a listener throws, and says so', async () => {
    const { clock, mirror, batches, write, lines } = setUp();
    await mirror.start();
    const end = mirror.onChange(() => {
      throw new Error('a defect');
    });
    write(put('/m/a', '1'));
    await clock.advance(0);
    expect(lines.map((line) => line.level)).toEqual([50]);
    end();
    write(put('/m/a', '2'));
    await clock.advance(0);
    expect(batches).toHaveLength(2);
    expect(lines).toHaveLength(1);
    await mirror.stop();
  });

  describe('compares itself with etcd from time to time', () => {
    /** A store that loses the events that `loses` picks. */
    const lossy =
      (loses: (key: string) => boolean) =>
      (store: Store): Store =>
        Object.assign(Object.create(store) as Store, {
          watch: (range: typeof RANGE, from: number, listener: WatchListener) =>
            store.watch(range, from, {
              ...listener,
              onEvents: (events) =>
                listener.onEvents(
                  events.filter((event) => !loses(event.type === 'put' ? event.kv.key : event.key)),
                ),
            }),
        });

    it('and repairs what is wrong, loudly', async () => {
      const { clock, etcd, mirror, batches, write, lines } = setUp(
        {},
        lossy((key) => key.includes('lost')),
      );
      write(put('/m/lost 1', 'old'), put('/m/lost 2', 'old'));
      await mirror.start();
      write(put('/m/lost 1', 'new'), del('/m/lost 2'), put('/m/lost 3', 'new'), put('/m/fine', '1'));
      await clock.advance(599_000);
      expect(contents(mirror)).not.toEqual(truth(etcd));
      await clock.advance(30_000);
      expect(contents(mirror)).toEqual(truth(etcd));
      expect(batches.at(-1)!.changes.map(describeChange).sort()).toEqual([
        '/m/lost 1: old → new',
        '/m/lost 2: old → gone',
        '/m/lost 3: - → new',
      ]);
      expect(lines.filter((line) => line.level === 50)).toHaveLength(1);
      await mirror.stop();
    });

    it('and finds nothing wrong while it is merely behind, or things change under its hands', async () => {
      const clock = new FakeClock();
      const etcd = new MemoryEtcd(clock);
      const store = etcd.connect({ watchDelayMs: () => 5_000 });
      const lines: string[] = [];
      const log = createLogger({ destination: { write: (line: string) => void lines.push(line) } });
      const mirror = new Mirror(store, RANGE, { clock, log, name: 'test', compareIntervalMs: 60_000 });
      await mirror.start();
      for (let tick = 0; tick < 400; tick += 1) {
        const key = `/m/${tick % 7}`;
        etcd.txn({ compare: [], success: [tick % 3 === 0 ? del(key) : put(key, String(tick))] });
        await clock.advance(2_500);
      }
      expect(lines).toEqual([]);
      await clock.advance(10_000);
      expect(contents(mirror)).toEqual(truth(etcd));
      await mirror.stop();
    });
  });

  it('ends up with the truth, having announced every step, whatever happens on the way', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ type: fc.constant('put' as const), key: fc.nat(5), value: fc.nat(9) }),
      },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('del' as const), key: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('cut' as const), on: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const) }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.nat(2_000) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, etcd, store, mirror, batches, write } = setUp({ log: silentLogger(), pageSize: 2 });
        write(put('/m/0', 'first'), put('/m/1', 'first'), put('/m/2', 'first'));
        await mirror.start();
        for (const each of steps) {
          if (each.type === 'put') write(put(`/m/${each.key}`, String(each.value)));
          else if (each.type === 'del') write(del(`/m/${each.key}`));
          else if (each.type === 'cut') store.partition(each.on);
          else if (each.type === 'compact') etcd.compact(write(put('/elsewhere', '')));
          else await clock.advance(each.ms);
        }
        store.partition(false);
        await clock.advance(20_000);
        expect(contents(mirror)).toEqual(truth(etcd));
        const replayed = new Map<string, string>();
        let revision = 0;
        for (const { changes, info } of batches) {
          expect(info.revision).toBeGreaterThan(revision);
          revision = info.revision;
          for (const change of changes) {
            expect(change.previous?.value.toString()).toBe(replayed.get(change.key));
            if (change.type === 'put') replayed.set(change.key, change.kv.value.toString());
            else replayed.delete(change.key);
          }
        }
        expect(Object.fromEntries(replayed)).toEqual(truth(etcd));
        await mirror.stop();
      }),
      { numRuns: 150 },
    );
  });
});
