import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { isoText } from '../../etcd/record.js';
import { listAudit } from '../../operations/audit/list-audit.js';
import { auditList, auditQuery } from '../schemas/access.js';
import type { AccessServices } from './tokens.js';

/** Who changed what. For operators, since it shows what definitions once held. */
export function auditRoutes(app: FastifyInstance, { operations }: AccessServices): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/audit',
    {
      config: { role: 'operator' },
      schema: {
        tags: ['access'],
        summary: 'Who changed what, newest first',
        querystring: auditQuery,
        response: { 200: auditList },
      },
    },
    async ({ actor: caller, query: { from, to, actor, key, limit, cursor } }) => {
      const { records, next } = await listAudit(operations(caller), {
        ...{ fromMs: from, toMs: to, actor, key, limit, cursor },
      });
      return {
        records: records.map(({ id, at, actor, changes }) => ({ id, at: isoText(at), actor, changes })),
        next,
      };
    },
  );
}
