/** The value of `lock/<run>`: the claim on a firing. The key's create revision is the fencing token. */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const lockRecordSchema = z.object({
  node: z.string(),
  worker: z.string(),
  attempt: z.number().int().positive(),
  claimedAt: isoTime,
});

export type LockRecord = z.output<typeof lockRecordSchema>;

/** What the schema would write, at a tenth of its cost: there is one for each claim. */
export function encodeLock({ node, worker, attempt, claimedAt }: LockRecord): string {
  return JSON.stringify({ node, worker, attempt, claimedAt: new Date(claimedAt).toISOString() });
}
