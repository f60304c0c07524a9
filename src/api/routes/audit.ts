import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { Readable } from 'node:stream';
import { auditFile, auditToJson } from '../../operations/audit/export-audit.js';
import { eachAudit, listAudit } from '../../operations/audit/list-audit.js';
import { auditExportQuery, auditFileText, auditList, auditQuery } from '../schemas/access.js';
import type { AccessServices } from './tokens.js';

const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';

/** Who changed what. For operators, since it shows what definitions once held. */
export function auditRoutes(app: FastifyInstance, { operations }: AccessServices): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  typed.get(
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
      return { records: records.map(auditToJson), next };
    },
  );

  typed.get(
    '/audit/export',
    {
      config: { role: 'operator' },
      schema: {
        tags: ['access'],
        summary: 'The same as a file: all of it, as lines of JSON or as CSV',
        querystring: auditExportQuery,
        response: {
          200: { content: { [NDJSON]: { schema: auditFileText }, [CSV]: { schema: auditFileText } } },
        },
      },
    },
    async ({ actor: caller, query: { from, to, actor, key, format } }, reply) => {
      const entries = eachAudit(operations(caller), { fromMs: from, toMs: to, actor, key });
      return reply
        .type(`${format === 'csv' ? CSV : NDJSON}; charset=utf-8`)
        .header('content-disposition', `attachment; filename="etcron-audit.${format}"`)
        .send(Readable.from(auditFile(entries, format)) as never);
    },
  );
}
