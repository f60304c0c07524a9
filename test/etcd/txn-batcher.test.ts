import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../src/etcd/store-error.js';
import { MAX_TXN_OPERATIONS, type Store, type Txn, type TxnResult } from '../../src/etcd/store.js';
import { TxnBatcher } from '../../src/etcd/txn-batcher.js';
import { absent, get, put } from '../../src/etcd/txn.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { unreachable } from '../../src/testing/refusals.js';

function setUp(options: ConstructorParameters<typeof TxnBatcher>[1] = {}) {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const store = etcd.connect();
  const sent: number[] = [];
  const batcher = new TxnBatcher(store, { onSend: (items) => sent.push(items), ...options });
  return { clock, etcd, store, batcher, sent };
}

const create = (key: string): Txn => ({
  compare: [absent(key)],
  success: [put(key, 'x')],
  failure: [get(key)],
});

describe('TxnBatcher', () => {
  it('sends what was submitted in one turn as one transaction', async () => {
    const { clock, etcd, batcher, sent } = setUp();
    const results = ['a', 'b', 'c'].map((key) => batcher.submit(create(key)));
    await clock.settle();
    expect(sent).toEqual([3]);
    const [a, b, c] = await Promise.all(results);
    expect([a!.revision, b!.revision, c!.revision]).toEqual([2, 2, 2]);
    expect(etcd.changes).toHaveLength(1);
  });

  it('gives each its own results', async () => {
    const { clock, batcher } = setUp();
    const first = batcher.submit({ compare: [], success: [put('a', '1'), get('a')] });
    const second = batcher.submit({ compare: [], success: [put('b', '2'), get('b')] });
    await clock.settle();
    const read = ({ results }: TxnResult): string | undefined =>
      results[1]?.type === 'get' ? results[1].kvs[0]?.value.toString() : undefined;
    expect([read(await first), read(await second)]).toEqual(['1', '2']);
  });

  it('lets only the guilty one fail', async () => {
    const { clock, etcd, batcher } = setUp();
    etcd.txn({ compare: [], success: [put('b', 'old')] });
    const results = ['a', 'b', 'c'].map((key) => batcher.submit(create(key)));
    await clock.settle();
    expect((await Promise.all(results)).map((one) => one.succeeded)).toEqual([true, false, true]);
  });

  it('sends the others once more together, and asks etcd no second time about the guilty', async () => {
    const { clock, etcd, store, batcher } = setUp();
    for (const key of ['k03', 'k17']) etcd.txn({ compare: [], success: [put(key, 'old')] });
    let calls = 0;
    store.intercept = ({ phase }) => void (calls += phase === 'request' ? 1 : 0);
    const keys = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, '0')}`);
    const results = keys.map((key) => batcher.submit(create(key)));
    await clock.settle();
    const found = (await Promise.all(results)).map(({ succeeded, results: [first] }) =>
      succeeded ? 'created' : first?.type === 'get' && first.kvs[0]?.value.toString(),
    );
    expect(found).toEqual(keys.map((key) => (key === 'k03' || key === 'k17' ? 'old' : 'created')));
    expect(calls).toBe(2);
  });

  it('sends one alone whose failure a group could not tell', async () => {
    const { clock, etcd, batcher, sent } = setUp();
    etcd.txn({ compare: [], success: [put('r1', '1'), put('r2', '2')] });
    const byRange: Txn = {
      ...{ compare: [absent('r1')], success: [put('r1', 'x')] },
      failure: [{ type: 'get', key: 'r1', end: 'r9' }],
    };
    const results = [create('a'), byRange, create('b')].map((txn) => batcher.submit(txn));
    await clock.settle();
    const [, ranged] = await Promise.all(results);
    expect(ranged!.results[0]).toMatchObject({ kvs: [{ key: 'r1' }, { key: 'r2' }] });
    expect(sent).toEqual([1, 1, 1]);
  });

  it('lets only the guilty one be refused', async () => {
    const { clock, etcd, batcher } = setUp();
    const good = batcher.submit(create('a'));
    const bad = batcher.submit({ compare: [], success: [put('b', 'x', '12345')] });
    const outcome = expect(bad).rejects.toMatchObject({ code: 'ETCRON_LEASE_LOST' });
    await clock.settle();
    await outcome;
    expect((await good).succeeded).toBe(true);
    expect(etcd.get('b')).toBeNull();
  });

  it('rejects all of a group whose reply is lost, and repeats nothing', async () => {
    const { clock, etcd, store, batcher } = setUp();
    let calls = 0;
    store.intercept = ({ phase }) => {
      if (phase === 'request') calls += 1;
      else throw unreachable('the reply got lost', true);
    };
    const results = Promise.allSettled(['a', 'b'].map((key) => batcher.submit(create(key))));
    await clock.settle();
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([calls, etcd.changes.length]).toEqual([1, 1]);
  });

  it('never puts two writes of one key into one transaction', async () => {
    const { clock, etcd, batcher } = setUp({ maxInFlight: 1 });
    const results = [1, 2, 3].map((n) => batcher.submit({ compare: [], success: [put('same', String(n))] }));
    await clock.settle();
    expect((await Promise.all(results)).every((one) => one.succeeded)).toBe(true);
    expect(etcd.get('same')!.value.toString()).toBe('3');
  });

  it("stays within etcd's limits, and within maxInFlight", async () => {
    let inFlight = 0;
    let most = 0;
    const { clock, store, batcher, sent } = setUp({ maxInFlight: 2 });
    store.intercept = ({ phase }) => {
      inFlight += phase === 'request' ? 1 : -1;
      most = Math.max(most, inFlight);
    };
    const results = Array.from({ length: 300 }, (_, index) => batcher.submit(create(`k${index}`)));
    await clock.settle();
    await Promise.all(results);
    expect(Math.max(...sent)).toBe(MAX_TXN_OPERATIONS);
    expect(sent.reduce((sum, items) => sum + items)).toBe(300);
    expect(most).toBe(2);
  });

  it('splits by size', async () => {
    const { clock, batcher, sent } = setUp({ maxBytes: 1_000, maxInFlight: 10 });
    const value = 'x'.repeat(600);
    const results = ['a', 'b', 'c'].map((key) => batcher.submit({ compare: [], success: [put(key, value)] }));
    await clock.settle();
    await Promise.all(results);
    expect(sent).toEqual([1, 1, 1]);
  });

  it('gives the results of single transactions, whatever conflicts and errors there are', async () => {
    const item = fc.record({ key: fc.nat({ max: 8 }), lease: fc.constantFrom(undefined, undefined, '99') });
    const turn = fc.array(item, { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { maxLength: 6 }),
        fc.infiniteStream(fc.nat(9)),
        async (turns, dice) => {
          const { clock, etcd, store, batcher } = setUp({ maxInFlight: 2 });
          store.intercept = ({ phase }) => {
            const roll = dice.next().value as number;
            if (roll === 0) throw unreachable('lost', phase === 'reply');
          };
          const results: Promise<{ id: string; key: string; result: TxnResult | StoreError }>[] = [];
          for (const [index, items] of turns.entries()) {
            for (const [position, { key, lease }] of items.entries()) {
              const id = `${index}.${position}`;
              const txn = { compare: [absent(`k${key}`)], success: [put(`k${key}`, id, lease)] };
              results.push(
                batcher.submit(txn).then(
                  (result) => ({ id, key: `k${key}`, result }),
                  (result: StoreError) => ({ id, key: `k${key}`, result }),
                ),
              );
            }
            await Promise.resolve();
          }
          await clock.settle();
          for (const { id, key, result } of await Promise.all(results)) {
            const isThere = etcd.get(key)?.value.toString() === id;
            if (!(result instanceof StoreError)) expect(result.succeeded).toBe(isThere);
            else if (!result.maybeApplied) expect(isThere).toBe(false);
          }
          expect(etcd.changes.flatMap((change) => change.events).every((e) => e.type === 'put')).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('passes on what a store throws', async () => {
    const failing = { txn: () => Promise.reject(new Error('broken')) } as unknown as Store;
    await expect(new TxnBatcher(failing).submit(create('a'))).rejects.toThrow('broken');
  });
});
