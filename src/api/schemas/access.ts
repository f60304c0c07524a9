/** Who may do what: the session of a browser, tokens, and the audit record. */
import { z } from 'zod';
import { AUDIT_FORMATS } from '../../operations/audit/export-audit.js';
import { cursorQuery, nextCursor, numberQuery, textQuery, time, timeQuery } from './common.js';

export const role = z
  .enum(['viewer', 'operator', 'admin'])
  .describe(
    'A viewer reads; an operator also runs, kills, pauses and drains; an admin also changes definitions, limits and tokens',
  );

export const session = z
  .object({
    name: z.string().describe('The name of the token, or of the local user'),
    role,
    via: z.enum(['token', 'cookie', 'loopback']).describe('How the caller was told'),
    expires: time.nullable(),
  })
  .meta({ id: 'Session' });

export const sessionBody = z.object({ token: z.string().min(1).max(512) });

export const token = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    createdAt: time,
    createdBy: z.string().nullable(),
    expires: time.nullable(),
  })
  .meta({ id: 'Token' });

export const tokenList = z.object({ tokens: z.array(token) });

export const tokenBody = z.object({
  name: z.string().min(1).max(128),
  role,
  expiresIn: z
    .string()
    .max(32)
    .optional()
    .describe('A duration such as `30d`; without it the token does not expire'),
});

export const createdToken = token.extend({
  token: z.string().describe('The token itself: it is shown only this once'),
});

export const tokenParams = z.object({ id: z.string() });
export const revokedToken = z.object({ revoked: z.string() });

export const auditQuery = z.object({
  from: timeQuery.optional(),
  to: timeQuery.optional(),
  actor: textQuery.optional().describe('Only what this name did'),
  key: textQuery.optional().describe('Only changes of keys that contain this text, such as a job'),
  limit: numberQuery(1, 1_000, 100),
  cursor: cursorQuery,
});

export const auditExportQuery = auditQuery.omit({ limit: true, cursor: true }).extend({
  format: z
    .enum(AUDIT_FORMATS)
    .default('ndjson')
    .describe('`ndjson`: a record a line; `csv`: a change a line, for a spreadsheet'),
});

export const auditFileText = z.string().describe('The newest first');

export const auditRecord = z
  .object({
    id: z.string(),
    at: time,
    actor: z.object({ name: z.string(), role: z.string(), via: z.string() }),
    changes: z.array(
      z.object({
        key: z.string().describe('Below the prefix, such as `jobs/backup`'),
        before: z.string().nullable(),
        after: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'AuditRecord' });

export const auditList = z.object({ records: z.array(auditRecord), next: nextCursor });
