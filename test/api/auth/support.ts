/** A server with the plugin and a few routes, on an etcd in memory. */
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { authPlugin } from '../../../src/api/auth/auth-plugin.js';
import { TokenRegistry } from '../../../src/api/auth/token-registry.js';
import { auditRoutes } from '../../../src/api/routes/audit.js';
import { sessionRoutes } from '../../../src/api/routes/session.js';
import { tokenRoutes } from '../../../src/api/routes/tokens.js';
import { EtcronError } from '../../../src/errors.js';
import { Keys } from '../../../src/etcd/keys.js';
import { del } from '../../../src/etcd/txn.js';
import type { Actor, Role } from '../../../src/operations/actor.js';
import { auditedStore } from '../../../src/operations/audit/audited-store.js';
import { createToken } from '../../../src/operations/tokens/create-token.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';

export const keys = new Keys();
export const T0 = Date.UTC(2026, 10, 22, 3);

export class AuthServer {
  readonly clock = new FakeClock(T0);
  readonly etcd = new MemoryEtcd(this.clock);
  readonly store = this.etcd.connect();
  readonly app: FastifyInstance;
  /** Of the requests that a route answered. */
  readonly seen: Actor[] = [];

  private constructor(readonly isLoopback: boolean) {
    this.app = Fastify();
  }

  static async start({ isLoopback = false } = {}): Promise<AuthServer> {
    const server = new AuthServer(isLoopback);
    await server.#prepare();
    return server;
  }

  async #prepare(): Promise<void> {
    const { app, clock, store } = this;
    const log = silentLogger();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    app.setErrorHandler((error, _request, reply) => {
      if (error instanceof EtcronError)
        return reply.code(error.httpStatus).send({ code: error.code, detail: error.message });
      return reply.send(error);
    });
    app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'none' }));
    await app.register(authPlugin, {
      ...{ clock, log, isLoopback: this.isLoopback },
      tokens: new TokenRegistry({ store, keys, clock, log }),
    });
    const operations = (actor: Actor) => ({
      ...{ keys, clock, actor },
      store: auditedStore(store, keys, clock, actor),
    });
    await app.register(
      (api, _options, done) => {
        sessionRoutes(api, { clock });
        tokenRoutes(api, { operations });
        auditRoutes(api, { operations });
        for (const role of ['viewer', 'operator', 'admin'] as const) {
          const config = { role };
          api.route({
            ...{ method: ['GET', 'POST'], url: `/${role}`, config },
            handler: (request) => {
              this.seen.push(request.actor);
              return request.actor;
            },
          });
        }
        api.get('/unsaid', () => 'secret');
        api.get('/public', { config: { role: null } }, () => 'hello');
        api.post('/public', { config: { role: null } }, () => 'hello');
        api.get('/public-actor', { config: { role: null } }, (request) => request.actor);
        done();
      },
      { prefix: '/api/v1' },
    );
    await app.ready();
  }

  /** Lets the time of the watches pass meanwhile. */
  async settled<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const tracked = work.finally(() => (done = true));
    tracked.catch(() => undefined);
    while (!done) {
      await this.clock.advance(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return tracked;
  }

  request(options: InjectOptions): Promise<LightMyRequestResponse> {
    return this.settled(this.app.inject(options));
  }

  async get(path: string, headers: Record<string, string> = {}, remoteAddress = '192.0.2.1') {
    return this.request({ method: 'GET', url: `/api/v1${path}`, headers, remoteAddress });
  }

  async post(path: string, headers: Record<string, string> = {}, remoteAddress = '192.0.2.1') {
    return this.request({ method: 'POST', url: `/api/v1${path}`, headers, remoteAddress });
  }

  /** The text of a new token. */
  async token(role: Role, options: { name?: string; lifetimeMs?: number } = {}): Promise<string> {
    const { store, clock } = this;
    const context = { store, keys, clock, actor: { name: 'test' } };
    const request = { name: options.name ?? role, role, lifetimeMs: options.lifetimeMs ?? null };
    const created = await this.settled(createToken(context, request));
    await this.clock.settle();
    return created.text;
  }

  /** By etcd itself. */
  async revoke(text: string): Promise<void> {
    this.etcd.txn({ compare: [], success: [del(keys.token(text.split('_')[1]!))] });
    await this.clock.settle();
  }

  async close(): Promise<void> {
    await this.settled(this.app.close());
  }
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
