/** The tokens of the API, for admins. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { DURATION_HELP, parseDuration } from '../../duration.js';
import { EtcronError } from '../../errors.js';
import { isoText } from '../../etcd/record.js';
import type { Actor } from '../../operations/actor.js';
import type { OperationContext } from '../../operations/context.js';
import { createToken } from '../../operations/tokens/create-token.js';
import { listTokens, type TokenEntry } from '../../operations/tokens/list-tokens.js';
import { revokeToken } from '../../operations/tokens/revoke-token.js';
import {
  createdToken,
  revokedToken,
  tokenBody,
  tokenList,
  tokenParams,
  type token,
} from '../schemas/access.js';

export interface AccessServices {
  readonly operations: (actor: Actor) => OperationContext;
}

export function tokenRoutes(app: FastifyInstance, { operations }: AccessServices): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();

  routes.get(
    '/tokens',
    {
      config: { role: 'admin' },
      schema: { tags: ['access'], summary: 'All tokens', response: { 200: tokenList } },
    },
    async ({ actor }) => {
      const tokens = await listTokens(operations(actor));
      return {
        tokens: tokens.flatMap(({ id, record }) => (record === null ? [] : [tokenView(id, record)])),
      };
    },
  );

  routes.post(
    '/tokens',
    {
      config: { role: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Make a token',
        description: 'The answer holds the token itself, this once: etcd keeps only its hash.',
        body: tokenBody,
        response: { 201: createdToken },
      },
    },
    async ({ actor, body: { name, role, expiresIn } }, reply) => {
      const lifetimeMs = expiresIn === undefined ? null : parseDuration(expiresIn);
      if (expiresIn !== undefined && lifetimeMs === null)
        throw new EtcronError('ETCRON_USAGE', `expiresIn: ${DURATION_HELP}`);
      const { id, text, record } = await createToken(operations(actor), { name, role, lifetimeMs });
      return reply.code(201).send({ ...tokenView(id, record), token: text });
    },
  );

  routes.delete(
    '/tokens/:id',
    {
      config: { role: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Revoke a token',
        description: 'By its id, or by its name where only one has it. Who is using it is cut off.',
        params: tokenParams,
        response: { 200: revokedToken },
      },
    },
    async ({ actor, params }) => ({ revoked: (await revokeToken(operations(actor), params.id)).id }),
  );
}

function tokenView(id: string, record: NonNullable<TokenEntry['record']>): z.output<typeof token> {
  const { name, role, createdAt, createdBy, expiresAt } = record;
  return { id, name, role, createdAt: isoText(createdAt), createdBy, expires: isoText(expiresAt) };
}
