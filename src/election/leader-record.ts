/** The value of `leader`: who holds the office. The key's create revision fences everything that the leader writes. */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const leaderRecordSchema = z.object({
  nodeId: z.string(),
  name: z.string(),
  since: isoTime,
});

export type LeaderRecord = z.output<typeof leaderRecordSchema>;
