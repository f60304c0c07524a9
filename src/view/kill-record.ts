/** The value of `kill/<run>`: a durable request to end a run. */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const killRecordSchema = z.object({
  by: z.string(),
  reason: z.string(),
  at: isoTime,
});

export type KillRecord = z.output<typeof killRecordSchema>;
