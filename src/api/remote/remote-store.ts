/**
 * A cluster behind the API of one of its workers, as a `Store`: what reads and changes the cluster works the same with it as
 * on etcd, as far as the token's role goes. It has no leases: only workers need those, and they are on etcd.
 */
import type { Clock } from '../../clock.js';
import { Keys } from '../../etcd/keys.js';
import { StoreError } from '../../etcd/store-error.js';
import type {
  CallOptions,
  EndpointStatus,
  KeyRange,
  RangeOptions,
  RangeResult,
  Store,
  Txn,
  TxnResult,
  Watch,
  WatchListener,
} from '../../etcd/store.js';
import { HttpClient, type ServerAddress } from './http-client.js';
import { RemoteWatch } from './remote-watch.js';
import * as wire from './wire.js';

export interface RemoteCluster {
  readonly store: RemoteStore;
  readonly keys: Keys;
  /** Who one is there, by the token. */
  readonly actor: wire.StoreInfo['actor'];
}

/** The server waits for etcd, which takes its time where it changes its leader. */
const DEADLINE_MS = 15_000;

/**
 * Asks the server who it is. Rejects with ETCRON_SERVER_UNREACHABLE, ETCRON_SERVER_TLS, ETCRON_SERVER_REFUSED or what the server says of the
 * token.
 */
export async function connectRemote(address: ServerAddress, clock: Clock): Promise<RemoteCluster> {
  const client = new HttpClient(address);
  try {
    const answer = await client.call({ method: 'GET', path: '/store', deadlineMs: DEADLINE_MS });
    const info = wire.storeInfo.safeParse(answer);
    if (!info.success) throw notEtcron(client.name);
    const { prefix, actor } = info.data;
    return { store: new RemoteStore(client, clock), keys: new Keys(prefix), actor };
  } catch (error) {
    client.close();
    throw error instanceof SyntaxError ? notEtcron(client.name) : error;
  }
}

export class RemoteStore implements Store {
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #watches = new Set<RemoteWatch>();

  constructor(client: HttpClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** What a route of the API answers, as it comes. `path`: below `/api/v1`. Rejects with a `StoreError`. */
  open(path: string, signal: AbortSignal): ReturnType<HttpClient['open']> {
    return this.#client.open({ method: 'GET', path, deadlineMs: DEADLINE_MS }, signal);
  }

  async range({ start, end }: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    const { deadlineMs = DEADLINE_MS, ...rest } = options;
    const body = { start, end, ...rest };
    const answer = await this.#client.call({ method: 'POST', path: '/store/range', body, deadlineMs });
    return wire.rangeFromWire(answer as wire.WireRange);
  }

  async txn(txn: Txn, { deadlineMs = DEADLINE_MS }: CallOptions = {}): Promise<TxnResult> {
    const all = [...txn.success, ...(txn.failure ?? [])];
    if (all.some((operation) => operation.type === 'put' && operation.leaseId !== undefined))
      throw noLeases();
    const isWrite = all.some(({ type }) => type !== 'get');
    const body = wire.txnToWire(txn);
    const answer = await this.#client.call({ method: 'POST', path: '/store/txn', body, deadlineMs, isWrite });
    return wire.resultFromWire(answer as wire.WireTxnResult);
  }

  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch {
    const watch: RemoteWatch = new RemoteWatch(
      this.#client,
      this.#clock,
      range,
      fromRevision,
      listener,
      () => void this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  async status({ deadlineMs = DEADLINE_MS }: CallOptions = {}): Promise<EndpointStatus[]> {
    return (await this.#client.call({
      method: 'GET',
      path: '/store/status',
      deadlineMs,
    })) as EndpointStatus[];
  }

  async leaseGrant(): Promise<never> {
    throw noLeases();
  }

  async leaseKeepAlive(): Promise<never> {
    throw noLeases();
  }

  async leaseRevoke(): Promise<never> {
    throw noLeases();
  }

  async close(): Promise<void> {
    for (const watch of [...this.#watches]) watch.close();
    this.#client.close();
  }
}

function noLeases(): StoreError {
  return new StoreError(
    'ETCRON_ETCD_REFUSED',
    'there are no leases through a server: only etcd itself has them',
    {
      maybeApplied: false,
      transient: false,
    },
  );
}

function notEtcron(name: string): StoreError {
  return new StoreError('ETCRON_SERVER_REFUSED', `${name} does not answer as an etcron server does`, {
    hint: 'Is this the address of the API of a worker, or of "etcron serve"?',
    maybeApplied: false,
    transient: false,
  });
}
