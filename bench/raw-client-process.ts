/**
 * The raw limit: a Node process that is one client of etcd and does nothing else, so that what is left to etcron's own work can
 * be told. Talks to `raw-clients.ts` over IPC and ends with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdStore } from '../src/etcd/etcd-store.js';
import { prefixRange, type Operation, type Store } from '../src/etcd/store.js';
import { put } from '../src/etcd/txn.js';

export type RawOrder =
  /** Transactions of `puts` puts, `inFlight` at once, for so long. */
  | { readonly kind: 'txns'; readonly puts: number; readonly inFlight: number; readonly forMs: number }
  /**
   * `own` puts, one every `everyMs` from `atMs` (wall clock) on, while all puts of all clients are watched, until `total` have
   * arrived.
   */
  | {
      readonly kind: 'watch';
      readonly own: number;
      readonly total: number;
      readonly everyMs: number;
      readonly atMs: number;
    };

export interface RawReport {
  /** Transactions per second; 0 for a watch. */
  readonly perSecond: number;
  /** From the moment at which each put was to be sent, on time or not, to the arrival of its event. */
  readonly delaysMs: readonly number[];
}

const PREFIX = '/raw/';
const WATCHED = `${PREFIX}watched/`;
/** Different keys, so that the database does not grow without bound. */
const KEYS = 10_000;
/** About the size of a planned or claimed firing. */
const VALUE = 'v'.repeat(160);

const [endpoint = '', client = ''] = process.argv.slice(2);
const store = new EtcdStore({ endpoints: [endpoint] });

process.on('message', (order: RawOrder) => {
  void (order.kind === 'txns' ? txns(store, order) : watch(store, order)).then((report) =>
    process.send?.(report),
  );
});
process.on('disconnect', () => process.exit());

async function txns(
  on: Store,
  { puts, inFlight, forMs }: Extract<RawOrder, { kind: 'txns' }>,
): Promise<RawReport> {
  let next = 0;
  let done = 0;
  const start = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      const success: Operation[] = [];
      for (let index = 0; index < puts; index += 1)
        success.push(put(`${PREFIX}${client}/${next++ % KEYS}`, VALUE));
      await on.txn({ compare: [], success });
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { perSecond: (done / (performance.now() - start)) * 1000, delaysMs: [] };
}

async function watch(
  on: Store,
  { own, total, everyMs, atMs }: Extract<RawOrder, { kind: 'watch' }>,
): Promise<RawReport> {
  const now = (): number => performance.timeOrigin + performance.now();
  const delaysMs: number[] = [];
  const { revision } = await on.range(prefixRange(WATCHED), { countOnly: true });
  await new Promise<void>((resolve, reject) => {
    const watching = on.watch(prefixRange(WATCHED), revision + 1, {
      onEvents: (events) => {
        const arrivedMs = now();
        for (const event of events)
          if (event.type === 'put') delaysMs.push(arrivedMs - Number(event.kv.value.toString()));
        if (delaysMs.length < total) return;
        watching.close();
        resolve();
      },
      onLost: reject,
    });
    const send = async (): Promise<void> => {
      for (let index = 0; index < own; index += 1) {
        const dueMs = atMs + index * everyMs;
        const waitMs = dueMs - now();
        if (waitMs > 0) await sleep(waitMs);
        on.txn({ compare: [], success: [put(`${WATCHED}${client}/${index}`, String(dueMs))] }).catch(reject);
      }
    };
    send().catch(reject);
  });
  return { perSecond: 0, delaysMs };
}
