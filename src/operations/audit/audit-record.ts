/** The value of `access/audit/…`: who changed what, when, and what it was before. */
import { z } from 'zod';
import { decodeRecord, encodeRecord, isoTime, type Decoded } from '../../etcd/record.js';
import type { KeyValue } from '../../etcd/store.js';

const changeSchema = z.object({
  /** Below the prefix. */
  key: z.string(),
  /** Null: it did not exist; both null: a whole range was deleted. Long values are cut. */
  before: z.string().nullable(),
  after: z.string().nullable(),
});

const auditRecordSchema = z.object({
  at: isoTime,
  actor: z.object({ name: z.string(), role: z.string(), via: z.string() }),
  changes: z.array(changeSchema),
});

export type AuditChange = z.output<typeof changeSchema>;
export type AuditRecord = z.output<typeof auditRecordSchema>;

export function encodeAudit(record: AuditRecord): string {
  return encodeRecord(auditRecordSchema, record);
}

export function decodeAudit(kv: Pick<KeyValue, 'value'>): Decoded<AuditRecord> {
  return decodeRecord(auditRecordSchema, kv);
}
