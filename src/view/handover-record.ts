/**
 * The value of `handover`: a request that the leader gives its office up. It concerns the leader that was in office when it was
 * written; an older one than the term of whoever leads is done with, and removed.
 */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const handoverRecordSchema = z.object({
  /** Who asked for it. */
  by: z.string().nullable().default(null),
  at: isoTime.nullable().default(null),
  /** The worker that is to lead, by name; null: whichever is first. */
  to: z.string().nullable().default(null),
});

export type HandoverRecord = z.output<typeof handoverRecordSchema>;
