/**
 * The value of `drain/<worker name>`: a request that the worker takes nothing more. It is for the name, so that a restart keeps
 * it, and it stands until somebody removes it. `{}` does as well, for people who put it there by hand.
 */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const drainRecordSchema = z.object({
  /** Who asked for it. */
  by: z.string().nullable().default(null),
  reason: z.string().nullable().default(null),
  at: isoTime.nullable().default(null),
});

export type DrainRecord = z.output<typeof drainRecordSchema>;
