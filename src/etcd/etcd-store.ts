/**
 * The `Store` on a real etcd. It uses the service clients that etcd3 generates from etcd's protocol and none of what
 * etcd3 builds on them: its watcher, lease, lock and election classes, its retries and circuit breaker each have
 * failure modes that a scheduler must not have (events lost on resume, a lease reported lost long after it ended, five
 * seconds of refusal after a one-second outage).
 */
import { credentials as grpcCredentials, type ChannelCredentials } from '@grpc/grpc-js';
import type { ILeaseGrantResponse, ILeaseKeepAliveResponse, IStatusResponse } from 'etcd3';
import { systemClock } from '../clock.js';
import { toSafeNumber } from './safe-number.js';
import { DEFAULT_QUOTA_BYTES } from './database-size.js';
import { CallFailed, Endpoint, type CallTimes, type Credentials, type ServiceName } from './endpoint.js';
import { Endpoints } from './endpoints.js';
import { judge, toStoreError, type Failure } from './errors.js';
import { StoreError } from './store-error.js';
import { singleKey } from './store.js';
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
} from './store.js';
import { WatchStream } from './watch-stream.js';
import { RANGE, TXN, type WireMethod } from './wire.js';

export interface TlsMaterial {
  /** PEM; the system's authorities when null. */
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

export interface EtcdStoreOptions {
  /** `host:port` each, IPv6 in brackets; at least one. */
  readonly endpoints: readonly string[];
  /** Null: clear text. */
  readonly tls?: TlsMaterial | null;
  readonly credentials?: Credentials | null;
  /** Of a call that names none; default 3 s. Also for opening a watch. */
  readonly callDeadlineMs?: number;
  /** Longest wait for one connection before it is given up; default 3 s. */
  readonly dialDeadlineMs?: number;
  /** Of each member's database; default 2 GiB, as etcd's own. */
  readonly quotaBytes?: number;
  /** Picks the endpoint to begin with. */
  readonly random?: () => number;
}

export const DEFAULT_CALL_DEADLINE_MS = 3_000;
export const DEFAULT_DIAL_DEADLINE_MS = 3_000;

export class EtcdStore implements Store {
  private readonly endpoints: Endpoints;
  private readonly deadlineMs: number;
  private readonly quotaBytes: number;
  private readonly watches = new Set<WatchStream>();

  constructor(options: EtcdStoreOptions) {
    const channel = channelCredentials(options.tls ?? null);
    const credentials = options.credentials ?? null;
    this.endpoints = new Endpoints(
      options.endpoints.map((address) => new Endpoint(address, channel, credentials)),
      options.dialDeadlineMs ?? DEFAULT_DIAL_DEADLINE_MS,
      options.random ?? Math.random,
    );
    this.deadlineMs = options.callDeadlineMs ?? DEFAULT_CALL_DEADLINE_MS;
    this.quotaBytes = options.quotaBytes ?? DEFAULT_QUOTA_BYTES;
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    return this.call(RANGE, { range, options }, false, options);
  }

  async txn(txn: Txn, options: CallOptions = {}): Promise<TxnResult> {
    return this.call(TXN, txn, !readsOnly(txn), options);
  }

  watch(range: KeyRange, fromRevision: number, listener: WatchListener): Watch {
    const watch: WatchStream = new WatchStream(
      this.endpoints,
      range,
      fromRevision,
      listener,
      this.deadlineMs,
      () => this.watches.delete(watch),
    );
    this.watches.add(watch);
    return watch;
  }

  async leaseGrant(ttlMs: number, options: CallOptions = {}): Promise<{ leaseId: string; ttlMs: number }> {
    const request = { TTL: Math.max(1, Math.ceil(ttlMs / 1000)), ID: 0 };
    const granted = await this.unary<ILeaseGrantResponse>('Lease', 'leaseGrant', request, true, options);
    return { leaseId: String(granted.ID), ttlMs: toSafeNumber(granted.TTL) * 1000 };
  }

  async leaseKeepAlive(leaseId: string, options: CallOptions = {}): Promise<{ ttlMs: number }> {
    const renewed = await this.endpoints.call(
      { operation: 'leaseKeepAlive', write: false },
      options.deadlineMs ?? this.deadlineMs,
      (endpoint, times) =>
        endpoint.exchange<ILeaseKeepAliveResponse>('Lease', 'leaseKeepAlive', { ID: leaseId }, times),
    );
    return { ttlMs: Math.max(0, toSafeNumber(renewed.TTL)) * 1000 };
  }

  async leaseRevoke(leaseId: string, options: CallOptions = {}): Promise<void> {
    try {
      // Revoking twice is the same as once, so it may be repeated like a read.
      await this.unary('Lease', 'leaseRevoke', { ID: leaseId }, false, options);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ETCRON_LEASE_LOST') throw error;
    }
  }

  async status(options: CallOptions = {}): Promise<EndpointStatus[]> {
    const times = fixedTimes(options.deadlineMs ?? this.deadlineMs);
    const { answers, failures } = await this.askAll((endpoint) =>
      endpoint.unary<IStatusResponse>('Maintenance', 'status', {}, times),
    );
    if (answers.length === 0) throw joined('status', failures);
    return answers.map(([endpoint, status]) => ({
      endpoint: endpoint.address,
      version: status.version,
      dbSizeBytes: toSafeNumber(status.dbSize),
      dbInUseBytes: toSafeNumber(status.dbSizeInUse),
      quotaBytes: this.quotaBytes,
      // etcd lists the alarms of all members there, each as text.
      isFull: status.errors.some((error) => error.includes('NOSPACE')),
      isLeader: status.leader === status.header.member_id,
      memberId: String(status.header.member_id),
      raftIndex: String(status.raftIndex),
    }));
  }

  /**
   * Resolves when some endpoint answers a read of `key`, which shows the connection, the credentials and the quorum.
   * Otherwise rejects with one error that names each endpoint and what is wrong with it.
   */
  async verify(key: string, options: CallOptions = {}): Promise<void> {
    const times = fixedTimes(options.deadlineMs ?? this.deadlineMs);
    const request = { range: singleKey(key), options: { countOnly: true } };
    const { answers, failures } = await this.askAll(async (endpoint) => {
      await endpoint.call('KV', RANGE, request, times);
    });
    const first = answers[0];
    if (!first) throw unreachable(failures);
    this.endpoints.use(first[0]);
  }

  async close(): Promise<void> {
    for (const watch of [...this.watches]) watch.close();
    this.endpoints.close();
  }

  private call<Request, Answer>(
    method: WireMethod<Request, Answer>,
    request: Request,
    write: boolean,
    options: CallOptions,
  ): Promise<Answer> {
    return this.endpoints.call(
      { operation: method.name, write },
      options.deadlineMs ?? this.deadlineMs,
      (endpoint, times) => endpoint.call('KV', method, request, times),
    );
  }

  private unary<T>(
    service: ServiceName,
    method: string,
    request: unknown,
    write: boolean,
    options: CallOptions,
  ): Promise<T> {
    return this.endpoints.call(
      { operation: method, write },
      options.deadlineMs ?? this.deadlineMs,
      (endpoint, times) => endpoint.unary<T>(service, method, request, times),
    );
  }

  private async askAll<T>(ask: (endpoint: Endpoint) => Promise<T>): Promise<{
    answers: [Endpoint, T][];
    failures: [Endpoint, Failure][];
  }> {
    const answers: [Endpoint, T][] = [];
    const failures: [Endpoint, Failure][] = [];
    const one = async (endpoint: Endpoint): Promise<void> => {
      try {
        answers.push([endpoint, await ask(endpoint)]);
      } catch (error) {
        failures.push([endpoint, error instanceof CallFailed ? error.failure : judge(error)]);
      }
    };
    await Promise.all(this.endpoints.all.map(one));
    return { answers, failures };
  }
}

/** One error for the failures of all endpoints; refused credentials are worth more than a refused connection. */
function joined(operation: string, failures: readonly [Endpoint, Failure][]): StoreError {
  const main = failures.find(([, failure]) => !failure.elsewhere) ?? failures[0]!;
  const attempts = failures.map(([endpoint, failure]) => [endpoint.address, failure.reason] as const);
  return toStoreError({ operation, write: false }, main[1], attempts);
}

/** At the start all that keeps an endpoint from answering comes to the same: it is out of reach. */
function unreachable(failures: readonly [Endpoint, Failure][]): StoreError {
  return joined(
    'connecting',
    failures.map(([endpoint, failure]) => [
      endpoint,
      failure.elsewhere ? { ...failure, code: 'ETCRON_ETCD_UNREACHABLE' } : failure,
    ]),
  );
}

function fixedTimes(deadlineMs: number): CallTimes {
  const deadlineAt = systemClock.monotonicMs() + deadlineMs;
  return { dialMs: deadlineMs, callMs: () => Math.max(1, deadlineAt - systemClock.monotonicMs()) };
}

function readsOnly(txn: Txn): boolean {
  return [...txn.success, ...(txn.failure ?? [])].every((operation) => operation.type === 'get');
}

function channelCredentials(tls: TlsMaterial | null): ChannelCredentials {
  if (tls === null) return grpcCredentials.createInsecure();
  return grpcCredentials.createSsl(tls.ca, tls.key, tls.cert);
}
