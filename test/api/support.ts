/** The API on an in-memory etcd with nodes, asked in-process or over real sockets. */
import type { AddressInfo } from 'node:net';
import type { InjectOptions } from 'fastify';
import { createApiServer } from '../../src/api/server.js';
import type { ApiContext, ApiSettings, WorkerPort } from '../../src/api/context.js';
import type { ApiApp } from '../../src/api/services.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { FakeClock } from '../../src/testing/fake-clock.js';
import type { MemoryStore } from '../../src/testing/memory-store.js';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  /** Of the shape that the test expects. */
  json<T = Record<string, never>>(): T;
}

export class ApiUnderTest {
  readonly cluster: MemoryCluster;
  readonly app: ApiApp;
  readonly store: MemoryStore;

  private constructor(cluster: MemoryCluster, app: ApiApp, store: MemoryStore) {
    this.cluster = cluster;
    this.app = app;
    this.store = store;
  }

  static async start(
    options: MemoryClusterOptions & {
      readonly worker?: WorkerPort | null;
      readonly settings?: Partial<ApiSettings>;
      readonly cluster?: MemoryCluster;
      readonly extensions?: ApiContext['extensions'];
    } = {},
  ): Promise<ApiUnderTest> {
    const cluster = options.cluster ?? new MemoryCluster(options);
    const store = cluster.etcd.connect({ name: 'api' });
    const context: ApiContext = {
      ...{ store, keys: cluster.keys, clock: cluster.clock, log: silentLogger() },
      worker: options.worker ?? null,
      settings: { isLoopback: true, ...options.settings },
      extensions: options.extensions ?? [],
    };
    return new ApiUnderTest(cluster, await whileTimePasses(cluster.clock, createApiServer(context)), store);
  }

  get clock(): FakeClock {
    return this.cluster.clock;
  }

  async stop(): Promise<void> {
    await whileTimePasses(this.clock, this.app.close());
    await this.cluster.stop();
  }

  get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask({ method: 'GET', url, headers });
  }

  post(url: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask({ method: 'POST', url, headers, ...(body === undefined ? {} : { payload: body }) });
  }

  async ask(request: InjectOptions): Promise<Answer> {
    const headers = { host: 'localhost:8470', ...request.headers };
    const asked = Promise.resolve(this.app.inject({ ...request, headers }));
    const response = await whileTimePasses(this.clock, asked);
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      json: <T>() => JSON.parse(response.body) as T,
    };
  }

  /** On a port of its own. */
  async listen(): Promise<string> {
    await this.app.listen({ host: '127.0.0.1', port: 0 });
    return `http://127.0.0.1:${(this.app.server.address() as AddressInfo).port}`;
  }
}

/** Lets timers of the fake clock and turns of the real event loop pass until `work` is done. */
export async function whileTimePasses<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  work.then(end, end);
  while (!over) {
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}
