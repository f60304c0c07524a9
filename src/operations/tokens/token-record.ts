/** The value of `access/tokens/<id>`. */
import { z } from 'zod';
import { decodeRecord, isoTime, type Decoded } from '../../etcd/record.js';
import type { KeyValue } from '../../etcd/store.js';
import { roleSchema } from '../actor.js';

const MAX_TOKEN_NAME_LENGTH = 100;

/** It stands in records and logs: one line, and nothing that a terminal would obey. */
export const tokenName = z
  .string({ error: 'must be text' })
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._@:/+-]*$/u, {
    error: 'must be letters, digits, blanks and ". _ @ : / + -", beginning with a letter or a digit',
  })
  .max(MAX_TOKEN_NAME_LENGTH, { error: `must be at most ${MAX_TOKEN_NAME_LENGTH} characters` });

export const tokenRecordSchema = z.object({
  name: tokenName,
  role: roleSchema,
  /** SHA-256, in hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: isoTime,
  createdBy: z.string(),
  /** Null: it never expires. */
  expiresAt: isoTime.nullable(),
});

export type TokenRecord = z.output<typeof tokenRecordSchema>;

export function decodeToken(kv: Pick<KeyValue, 'value'>): Decoded<TokenRecord> {
  return decodeRecord(tokenRecordSchema, kv);
}

export function isExpired({ expiresAt }: Pick<TokenRecord, 'expiresAt'>, nowMs: number): boolean {
  return expiresAt !== null && expiresAt <= nowMs;
}
