/**
 * One etcd endpoint: a channel for each gRPC service, made when first used, and the user's token. Each service has a TCP
 * connection of its own (`use_local_subchannel_pool`), so that neither a burst of transactions nor a long catch-up of a
 * watch can delay a keepalive.
 *
 * Of etcd3 this takes the generated service clients and nothing else (and for the calls of which there are many, `wire.ts`, only their channels). A request is sent only on a channel that is
 * connected, down to the HTTP/2 settings, so a failure before that is known not to have reached etcd.
 */
import {
  connectivityState,
  Metadata,
  type ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { Host } from 'etcd3/lib/connection-pool.js';
import { broken, dialTimeout, judge, type Failure } from './errors.js';
import { StoreError } from './store-error.js';
import type { WireMethod } from './wire.js';

export type ServiceName = 'KV' | 'Lease' | 'Watch' | 'Maintenance' | 'Auth';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const CHANNEL_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  // More than this would not arrive within a call's deadline on a slow link; `readPage` then asks for less at a time.
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  // etcd closes connections on which pings come more often than every 5 s.
  'grpc.keepalive_time_ms': 6_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
};

/** A call that failed, judged. Does not leave `src/etcd`. */
export class CallFailed extends Error {
  constructor(
    readonly failure: Failure,
    cause?: unknown,
  ) {
    super(failure.reason, { cause });
  }
}

export class Endpoint {
  private readonly hosts = new Map<ServiceName, Host>();
  private readonly calls = new Set<{ cancel(): void }>();
  private token: Promise<string | null> | null = null;
  private closed = false;

  /** `address` is `host:port`, as gRPC wants it. */
  constructor(
    readonly address: string,
    private readonly channel: ChannelCredentials,
    private readonly credentials: Credentials | null,
  ) {}

  /** One request, one answer. `payload` and answer are etcd's messages. Rejects with `CallFailed`. */
  unary<T>(service: ServiceName, method: string, payload: unknown, times: CallTimes): Promise<T> {
    return this.ask<T>(service, times, (client, ...rest) => {
      const stub = client as unknown as Record<string, UnaryStub<T>>;
      return stub[method]!(payload, ...rest);
    });
  }

  /** The same, with messages of our own. Rejects with a `StoreError` besides where the answer makes no sense. */
  async call<Request, Answer>(
    service: ServiceName,
    { path, serialize, deserialize }: WireMethod<Request, Answer>,
    request: Request,
    times: CallTimes,
  ): Promise<Answer> {
    const answer = await this.ask<Answer | StoreError>(service, times, (client, ...rest) =>
      client.makeUnaryRequest(path, serialize, deserialize, request, ...rest),
    );
    if (answer instanceof StoreError) throw answer;
    return answer;
  }

  private ask<T>(service: ServiceName, times: CallTimes, send: SendUnary<T>): Promise<T> {
    return this.authenticated(times, async (metadata) => {
      const client = await this.connected(service, times.dialMs);
      return new Promise<T>((resolve, reject) => {
        const options = { deadline: Date.now() + times.callMs() };
        const call = send(client, metadata, options, (error, answer) => {
          this.calls.delete(call);
          if (error) reject(new CallFailed(judge(error), error));
          else resolve(answer!);
        });
        this.calls.add(call);
      });
    });
  }

  /** One request and the first answer to it on a stream of its own. */
  async exchange<T>(service: ServiceName, method: string, payload: unknown, times: CallTimes): Promise<T> {
    return this.authenticated(times, async (metadata) => {
      const call = await this.open<unknown, T>(service, method, metadata, times.dialMs, times.callMs());
      return new Promise<T>((resolve, reject) => {
        call.on('data', (answer: T) => {
          resolve(answer);
          call.cancel();
        });
        call.on('error', (error: ServiceError) => reject(new CallFailed(judge(error), error)));
        call.on('end', () => reject(new CallFailed(broken('the stream ended without an answer'))));
        call.write(payload);
        call.end();
      });
    });
  }

  /** A stream of our own messages, which lasts until it is cancelled. The caller must listen to `error`. */
  async stream<Request, Answer>(
    service: ServiceName,
    { path, serialize, deserialize }: WireMethod<Request, Answer>,
    metadata: Metadata,
    dialMs: number,
  ): Promise<ClientDuplexStream<Request, Answer | StoreError>> {
    const client = await this.connected(service, dialMs);
    return this.kept(client.makeBidiStreamRequest(path, serialize, deserialize, metadata));
  }

  /** A stream that ends after `deadlineMs`. The caller must listen to `error`. */
  private async open<Request, Answer>(
    service: ServiceName,
    method: string,
    metadata: Metadata,
    dialMs: number,
    deadlineMs: number,
  ): Promise<ClientDuplexStream<Request, Answer>> {
    const client = await this.connected(service, dialMs);
    const stub = client as unknown as Record<string, DuplexStub<Request, Answer>>;
    return this.kept(stub[method]!(metadata, { deadline: Date.now() + deadlineMs }));
  }

  private kept<Request, Answer>(
    call: ClientDuplexStream<Request, Answer>,
  ): ClientDuplexStream<Request, Answer> {
    this.calls.add(call);
    call.on('status', () => this.calls.delete(call));
    return call;
  }

  /** Metadata that carries the token, when there is a user. Authenticates when need be. */
  async metadata(times: CallTimes): Promise<Metadata> {
    const metadata = new Metadata();
    if (this.credentials === null) return metadata;
    const token = await (this.token ??= this.authenticate(this.credentials, times));
    if (token !== null) metadata.set('token', token);
    return metadata;
  }

  /** The token in `metadata` was refused; the next call authenticates again, unless another call already has. */
  async forgetToken(metadata: Metadata): Promise<void> {
    const used = metadata.get('token')[0] ?? null;
    const current = this.token;
    if (current !== null && (await current.catch(() => null)) === used && this.token === current)
      this.token = null;
  }

  close(): void {
    this.closed = true;
    for (const call of this.calls) call.cancel();
    for (const host of this.hosts.values()) host.close();
    this.hosts.clear();
  }

  private async authenticated<T>(times: CallTimes, call: (metadata: Metadata) => Promise<T>): Promise<T> {
    const metadata = await this.metadata(times);
    try {
      return await call(metadata);
    } catch (error) {
      const expired = error instanceof CallFailed && error.failure.reauthenticate === true;
      if (!expired || this.credentials === null) throw error;
      await this.forgetToken(metadata);
      return call(await this.metadata(times));
    }
  }

  private authenticate({ user, password }: Credentials, times: CallTimes): Promise<string | null> {
    const request = this.connected('Auth', times.dialMs).then(
      (client) =>
        new Promise<string | null>((resolve, reject) => {
          const stub = client as unknown as Record<string, UnaryStub<{ token: string }>>;
          const options = { deadline: Date.now() + times.callMs() };
          stub.authenticate!({ name: user, password }, new Metadata(), options, (error, answer) => {
            if (!error) return resolve(answer!.token);
            // Credentials for an etcd that asks for none are no error; it may begin to ask later.
            if (error.details.includes('authentication is not enabled')) return resolve(null);
            reject(new CallFailed({ ...judge(error), notApplied: true }, error));
          });
        }),
    );
    request.catch(() => {
      if (this.token === request) this.token = null;
    });
    return request;
  }

  /** The client of a service, as soon as it is connected or has failed to (then the call itself says why). */
  private async connected(service: ServiceName, dialMs: number): Promise<Client> {
    if (this.closed) throw new CallFailed(CLOSED);
    let host = this.hosts.get(service);
    if (!host) this.hosts.set(service, (host = new Host(this.address, this.channel, CHANNEL_OPTIONS)));
    const client = host.getServiceClient(service);
    const channel = client.getChannel();
    const deadline = Date.now() + dialMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE) return client;
      if (state === connectivityState.SHUTDOWN) throw new CallFailed(CLOSED);
      const changed = await new Promise<boolean>((resolve) =>
        channel.watchConnectivityState(state, deadline, (error) => resolve(!error)),
      );
      if (changed) continue;
      // Nothing answers: drop the attempt, or a connection that a firewall swallowed would be waited for ever.
      if (this.hosts.get(service) === host) this.hosts.delete(service);
      host.close();
      throw new CallFailed(dialTimeout(dialMs));
    }
  }
}

/** How long a connection may take, and what is left for the call when the connection is there. */
export interface CallTimes {
  readonly dialMs: number;
  callMs(): number;
}

const CLOSED: Failure = {
  code: 'ETCRON_ETCD_UNREACHABLE',
  reason: 'the store has been closed',
  notApplied: true,
  transient: false,
  elsewhere: false,
};

type SendUnary<T> = (
  client: Client,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, answer?: T) => void,
) => { cancel(): void };

type UnaryStub<T> = (
  payload: unknown,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, answer?: T) => void,
) => { cancel(): void };

type DuplexStub<Request, Answer> = (
  metadata: Metadata,
  options: { deadline: number },
) => ClientDuplexStream<Request, Answer>;
