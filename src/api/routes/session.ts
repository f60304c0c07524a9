/** Signing in and out, for browsers: what they get for a token is a cookie that no script can read. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { isoText } from '../../etcd/record.js';
import type { Access } from '../auth/access.js';
import { clearSessionCookie, setSessionCookie } from '../auth/session-cookie.js';
import { session, sessionBody } from '../schemas/access.js';

export function sessionRoutes(app: FastifyInstance, { clock }: { readonly clock: Clock }): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();

  routes.get(
    '/session',
    {
      config: { role: 'viewer' },
      schema: { tags: ['access'], summary: 'Who asks, and what they may do', response: { 200: session } },
    },
    ({ access }) => describe(access),
  );

  routes.post(
    '/session',
    {
      config: { role: null },
      schema: {
        tags: ['access'],
        summary: 'Sign in with a token',
        description:
          'Sets a cookie for this browser. A change by cookie also needs the header `x-etcron-csrf: 1`.',
        body: sessionBody,
        response: { 200: session },
      },
    },
    async (request, reply) => {
      const { token } = request.body;
      const access = await app.auth.authenticate(request, reply, token.trim(), 'cookie');
      const { expiresAt } = access;
      setSessionCookie(reply, token.trim(), expiresAt === null ? null : expiresAt - clock.now());
      return describe(access);
    },
  );

  routes.delete(
    '/session',
    {
      config: { role: null },
      schema: {
        tags: ['access'],
        summary: 'Sign out',
        description: 'Takes the cookie from this browser. The token goes on to count.',
        response: { 204: z.null() },
      },
    },
    async (_request, reply) => {
      clearSessionCookie(reply);
      await reply.code(204).send(null);
    },
  );
}

function describe({ actor: { name, role }, by, expiresAt }: Access): z.output<typeof session> {
  return { name, role, via: by, expires: isoText(expiresAt) };
}
