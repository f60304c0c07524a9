/** What etcd does for clients that do nothing else: the limit for everything that is built on it. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import type { EtcdBinary } from '../src/etcd/embedded/find-etcd.js';
import type { RawOrder, RawReport } from './raw-client-process.js';
import { spreadMeasures, type Figures, type Measure } from './scenario.js';
import { spread } from './statistics.js';
import { withEtcd } from './with-etcd.js';

const PROGRAM = fileURLToPath(new URL('./raw-client-process.js', import.meta.url));
export const PUTS_PER_TXN = 100;
/** Writes to etcd of one firing that is due now: lock and firing put by the claim; both deleted and a record put by its end. */
export const WRITES_PER_FIRING = 5;
/** And the put by which it is planned. */
export const WRITES_PER_PLANNED_FIRING = 6;
const WARM_UP_MS = 500;
const STRETCH_MS = 2_000;
const WATCH_NOTICE_MS = 500;
/** Of all clients together. */
const WATCHED_PER_SECOND = 100;
const WATCHED_SECONDS = 3;

/** The rows of `measureRawLimits`. */
export const RAW_MEASURES: readonly Measure[] = [
  { key: 'rawClients', label: 'raw limit: client processes', unit: '', digits: 0 },
  {
    key: 'batchTxns1',
    label: `etcd: ${PUTS_PER_TXN}-put transactions, 1 in flight for each client`,
    unit: '/s',
    digits: 0,
  },
  {
    key: 'batchTxns4',
    label: `etcd: ${PUTS_PER_TXN}-put transactions, 4 in flight for each client`,
    unit: '/s',
    digits: 0,
  },
  {
    key: 'singleTxns1',
    label: 'etcd: single-put transactions, 1 in flight for each client',
    unit: '/s',
    digits: 0,
  },
  {
    key: 'singleTxns16',
    label: 'etcd: single-put transactions, 16 in flight for each client',
    unit: '/s',
    digits: 0,
  },
  ...spreadMeasures('watch', `etcd: put → watch event, ${WATCHED_PER_SECOND} a second, all clients watch`, 1),
];

/** Measured when they are first asked for, on an etcd of their own. */
export class RawLimits {
  readonly #binary: EtcdBinary;
  readonly #found = new Map<number, Promise<Figures>>();

  constructor(binary: EtcdBinary) {
    this.#binary = binary;
  }

  of(clients: number): Promise<Figures> {
    let found = this.#found.get(clients);
    if (found === undefined) {
      found = withEtcd(this.#binary, (etcd) => measureRawLimits(etcd, clients));
      this.#found.set(clients, found);
    }
    return found;
  }
}

/** With `clients` processes at once. About 12 s. */
export async function measureRawLimits(
  { endpoint }: Pick<EmbeddedEtcd, 'endpoint'>,
  clients: number,
): Promise<Figures> {
  const children = Array.from({ length: clients }, (_, index) =>
    fork(PROGRAM, [new URL(endpoint).host, String(index)]),
  );
  try {
    await Promise.all(children.map((child) => once(child, 'spawn')));
    const perSecond = async (puts: number, inFlight: number, forMs = STRETCH_MS): Promise<number> => {
      const reports = await askAll(children, { kind: 'txns', puts, inFlight, forMs });
      return reports.reduce((sum, report) => sum + report.perSecond, 0);
    };
    await perSecond(1, 1, WARM_UP_MS);
    const figures = {
      rawClients: clients,
      batchTxns1: await perSecond(PUTS_PER_TXN, 1),
      batchTxns4: await perSecond(PUTS_PER_TXN, 4),
      singleTxns1: await perSecond(1, 1),
      singleTxns16: await perSecond(1, 16),
    };
    const own = Math.ceil((WATCHED_PER_SECOND * WATCHED_SECONDS) / clients);
    const reports = await askAll(children, {
      ...{ kind: 'watch', own, total: own * clients },
      everyMs: (1000 * clients) / WATCHED_PER_SECOND,
      atMs: Date.now() + WATCH_NOTICE_MS,
    });
    return {
      ...figures,
      ...spread(
        'watch',
        reports.flatMap((report) => report.delaysMs),
      ),
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

function askAll(children: readonly ChildProcess[], order: RawOrder): Promise<RawReport[]> {
  return Promise.all(
    children.map(async (child) => {
      const gone = once(child, 'exit').then(() =>
        Promise.reject(new Error('a raw client ended before it was done')),
      );
      gone.catch(() => undefined);
      const answered = once(child, 'message');
      child.send(order);
      return ((await Promise.race([answered, gone])) as [RawReport])[0];
    }),
  );
}

/** Firings per second that etcd could take if nothing else cost anything. */
export function firingsPerSecond(raw: Figures, writesPerFiring: number): number {
  return (Math.max(raw.batchTxns1!, raw.batchTxns4!) * PUTS_PER_TXN) / writesPerFiring;
}

/** The rows of `watchLimits`. */
export const WATCH_MEASURES: readonly Measure[] = RAW_MEASURES.filter(({ key }) => key.startsWith('watch'));

/** Of the raw limits, what a firing would wait for that is claimed at its due time. */
export function watchLimits(raw: Figures): Figures {
  return Object.fromEntries(WATCH_MEASURES.map(({ key }) => [key, raw[key]!]));
}
