/** The value of `kill/<run>`: a durable request to end a run. */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const killRecordSchema = z.object({
  /** Null: the cluster itself, because another run takes the place of this one. */
  by: z.string().nullable(),
  reason: z.string(),
  at: isoTime,
});

export type KillRecord = z.output<typeof killRecordSchema>;

/** The reason in the record of the run that was killed. */
export function killReason({ by, reason }: KillRecord): string {
  return by === null ? reason : `by ${by}: ${reason}`;
}
