/**
 * The HTTP API as plain code: what it answers comes from etcd alone, so that any node can be asked anything. A worker runs it in
 * a thread of its own, where no request can delay a firing.
 *
 *     request → rate limit → headers → who asks (auth) → body and query by their zod schemas → route → JSON
 *                   every error, wherever it occurs ──▶ a problem document (problem.ts)
 */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { fastify } from 'fastify';
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { auditedStore } from '../operations/audit/audited-store.js';
import { authPlugin } from './auth/auth-plugin.js';
import { networkOf } from './auth/failed-logins.js';
import { TokenRegistry } from './auth/token-registry.js';
import { API_DEFAULTS, type ApiContext } from './context.js';
import { EventHub } from './events/event-hub.js';
import { openApiInfo, transformObject } from './open-api.js';
import type { OutputAccess } from './output/find-output.js';
import { HopSecret } from './output/hop-secret.js';
import { errorHandler, notFound } from './problem.js';
import { ClusterReader } from './reader/cluster-reader.js';
import { storeRoutes } from './remote/store-routes.js';
import { auditRoutes } from './routes/audit.js';
import { clusterRoutes } from './routes/cluster.js';
import { definitionRoutes } from './routes/definitions.js';
import { eventRoutes } from './routes/events.js';
import { healthRoutes } from './routes/health.js';
import { hopRoutes } from './routes/hop.js';
import { jobRoutes } from './routes/jobs.js';
import { limitRoutes } from './routes/limits.js';
import { outputRoutes } from './routes/output.js';
import { runRoutes } from './routes/runs.js';
import { sessionRoutes } from './routes/session.js';
import { tokenRoutes } from './routes/tokens.js';
import { workerRoutes } from './routes/workers.js';
import { noteStale } from './stale-header.js';
import type { ApiApp, ApiServices } from './services.js';

const API_PREFIX = '/api/v1';

const BODY_LIMIT_BYTES = 2 * 2 ** 20;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_PARAM_LENGTH = 400;

/** Ready to listen; `close` ends what it began. */
export async function createApiServer(context: ApiContext): Promise<ApiApp> {
  const { store, keys, clock, log, settings } = context;
  const reader = new ClusterReader(context);
  const services: ApiServices = {
    context,
    reader,
    events: new EventHub(context, reader),
    operations: (actor) => ({ store: auditedStore(store, keys, clock, actor), keys, clock, actor }),
  };
  const options = {
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 0,
    forceCloseConnections: true,
    return503OnClosing: true,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    exposeHeadRoutes: true,
  };
  const server = settings.tls === undefined ? fastify(options) : fastify({ ...options, https: settings.tls });
  const app = server.withTypeProvider<ZodTypeProvider>() as unknown as ApiApp;
  app.setValidatorCompiler(validatorCompiler);
  // The types have seen to it that answers are as declared, and a test compares all of them with the document.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(errorHandler(log));
  app.setNotFoundHandler(notFound);
  app.addHook('onClose', async () => {
    await services.events.close();
    await reader.close();
  });
  // Answers are of the moment, and may be secret.
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url } = request;
    log.trace({ method, url: url.split('?')[0], status: reply.statusCode, ms: reply.elapsedTime }, 'request');
    done();
  });

  await app.register(rateLimit, {
    global: false,
    keyGenerator: ({ ip }) => networkOf(ip),
    max: settings.requestsPerSecond ?? API_DEFAULTS.requestsPerSecond,
    timeWindow: 1_000,
    addHeaders: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
      'retry-after': true,
    },
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
  });
  // For the whole server, and not for each route: what a route has comes after whoever asks was looked at.
  app.addHook('onRequest', app.rateLimit());
  await app.register(helmet, securityHeaders(settings.tls !== undefined));
  await app.register(swagger, {
    openapi: openApiInfo(),
    transform: jsonSchemaTransform,
    transformObject,
  });
  const tokens = new TokenRegistry({ store, keys, clock, log });
  await app.register(authPlugin, { tokens, clock, log, isLoopback: settings.isLoopback });

  const output: OutputAccess = {
    ...{ cluster: { store, keys }, clock, own: settings.output ?? null },
    hop: {
      ...{ secret: new HopSecret({ store, keys }, clock), clock },
      ...{ ca: settings.peerCa, identity: settings.tls },
    },
  };
  await app.register((scope, _options, done) => {
    healthRoutes(scope, services);
    hopRoutes(scope, output);
    scope.get('/openapi.json', { config: { role: null }, schema: { hide: true } }, () => app.swagger());
    done();
  });
  await app.register(
    (scope, _options, done) => {
      const api: ApiApp = scope;
      noteStale(api, reader);
      clusterRoutes(api, services);
      jobRoutes(api, services);
      definitionRoutes(api, services);
      runRoutes(api, services);
      outputRoutes(api, services, output);
      workerRoutes(api, services);
      limitRoutes(api, services);
      eventRoutes(api, services);
      sessionRoutes(scope, { clock });
      tokenRoutes(scope, services);
      auditRoutes(scope, services);
      storeRoutes(api, services);
      done();
    },
    { prefix: API_PREFIX },
  );
  for (const extend of context.extensions ?? []) await extend(app);
  await app.ready();
  return app;
}

/** Nothing is loaded from elsewhere, nothing inline is run, and no other page shows ours in a frame. */
function securityHeaders(isHttps: boolean) {
  const self = ["'self'"];
  const none = ["'none'"];
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: none,
        scriptSrc: self,
        styleSrc: self,
        imgSrc: ["'self'", 'data:'],
        fontSrc: self,
        connectSrc: self,
        manifestSrc: self,
        baseUri: none,
        formAction: none,
        frameAncestors: none,
      },
    },
    referrerPolicy: { policy: 'no-referrer' as const },
    xFrameOptions: { action: 'deny' as const },
    strictTransportSecurity: isHttps ? { maxAge: 31_536_000 } : false,
  };
}
