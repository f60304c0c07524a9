import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Actor } from '../operations/actor.js';
import type { OperationContext } from '../operations/context.js';
import type { ApiContext } from './context.js';
import type { EventHub } from './events/event-hub.js';
import type { ClusterReader } from './reader/cluster-reader.js';

/** A server whose routes are typed by their zod schemas. */
export type ApiApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the routes answer from. */
export interface ApiServices {
  readonly context: ApiContext;
  readonly reader: ClusterReader;
  readonly events: EventHub;
  /** For what `actor` does: each change goes into the audit record. */
  operations(actor: Actor): OperationContext;
}
