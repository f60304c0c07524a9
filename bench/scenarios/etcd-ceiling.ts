import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { prefixRange, type Operation, type Store } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { spreadMeasures, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';

const PREFIX = '/etcd-ceiling/';
const STRETCH_MS = 3_000;
const PUTS_PER_TXN = 100;
/** Different keys, so that the database does not grow without bound. */
const KEYS = 10_000;
/** About the size of a planned or claimed firing. */
const VALUE = 'v'.repeat(160);
const WATCHED_PUTS = 300;
const WATCHED_EVERY_MS = 10;

/** What the same etcd does for a client that does nothing else: the ceiling for everything that is built on it. */
export const etcdCeiling: Scenario = {
  name: 'etcd-ceiling',
  title: 'the same etcd, one client process, no etcron',
  measures: [
    { key: 'batchTxns1', label: `${PUTS_PER_TXN}-put transactions, 1 in flight`, unit: '/s', digits: 0 },
    { key: 'batchTxns4', label: `${PUTS_PER_TXN}-put transactions, 4 in flight`, unit: '/s', digits: 0 },
    { key: 'singleTxns1', label: 'single-put transactions, 1 in flight', unit: '/s', digits: 0 },
    { key: 'singleTxns16', label: 'single-put transactions, 16 in flight', unit: '/s', digits: 0 },
    ...spreadMeasures('watch', 'put → watch event, 100 a second', 1),
  ],
  targets: [],

  async run({ etcd }) {
    const store = new EtcdStore({ endpoints: [new URL(etcd.endpoint).host] });
    try {
      await txnsPerSecond(store, 1, 1, 500);
      const figures = {
        batchTxns1: await txnsPerSecond(store, PUTS_PER_TXN, 1, STRETCH_MS),
        batchTxns4: await txnsPerSecond(store, PUTS_PER_TXN, 4, STRETCH_MS),
        singleTxns1: await txnsPerSecond(store, 1, 1, STRETCH_MS),
        singleTxns16: await txnsPerSecond(store, 1, 16, STRETCH_MS),
        ...spread('watch', await watchDelays(store)),
      };
      return { figures, problems: [] };
    } finally {
      await store.close();
    }
  },
};

async function txnsPerSecond(store: Store, puts: number, inFlight: number, forMs: number): Promise<number> {
  let next = 0;
  let done = 0;
  const start = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      const success: Operation[] = [];
      for (let index = 0; index < puts; index += 1) success.push(put(`${PREFIX}${next++ % KEYS}`, VALUE));
      await store.txn({ compare: [], success });
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (done / (performance.now() - start)) * 1000;
}

/** From the moment at which each put was to be sent, on time or not, to the arrival of its event. */
async function watchDelays(store: Store): Promise<number[]> {
  const prefix = `${PREFIX}watched/`;
  const delays: number[] = [];
  const { revision } = await store.range(prefixRange(prefix), { countOnly: true });
  let startMs = Infinity;
  let arrived = (): void => undefined;
  let failed = (_: Error): void => undefined;
  const all = new Promise<void>((resolve, reject) => {
    arrived = resolve;
    failed = reject;
  });
  const watch = store.watch(prefixRange(prefix), revision + 1, {
    onEvents: (events) => {
      const nowMs = performance.now();
      for (const event of events) {
        if (event.type === 'delete') continue;
        const index = Number(event.kv.key.slice(prefix.length));
        if (index >= 0) delays.push(nowMs - (startMs + index * WATCHED_EVERY_MS));
      }
      if (delays.length === WATCHED_PUTS) arrived();
    },
    onLost: failed,
  });
  try {
    // The watch is open before the clock runs.
    await sleep(200);
    startMs = performance.now();
    for (let index = 0; index < WATCHED_PUTS; index += 1) {
      const waitMs = startMs + index * WATCHED_EVERY_MS - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      store.txn({ compare: [], success: [put(`${prefix}${index}`, VALUE)] }).catch(failed);
    }
    await all;
    return delays;
  } finally {
    watch.close();
  }
}
