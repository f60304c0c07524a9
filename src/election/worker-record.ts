/** The value of `workers/<node>`: that a node lives, and what it can take. It goes away with the node's lease. */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';
import { policySchema } from '../jobs/policy/policy.js';

export const workerRecordSchema = z.object({
  /** The name that its operator gave it; a restart keeps it, while the node id is new. */
  name: z.string(),
  host: z.string(),
  pid: z.number().int(),
  version: z.string(),
  state: z.enum(['active', 'draining']),
  /** How many runs it takes at once. */
  capacity: z.number().int().positive(),
  labels: z.record(z.string(), z.string()),
  /** Names of the handlers that its process has. */
  handlers: z.array(z.string()).default([]),
  startedAt: isoTime,
  /** What its clock showed when it wrote this; written anew every few seconds. */
  clock: isoTime.nullable().default(null),
  /** Its clock is off the others': it takes nothing. */
  skewed: z.boolean().default(false),
  /** Where its HTTP API is, for other nodes and for people; null: it has none. */
  api: z.string().nullable().default(null),
  /**
   * What it may run, so that firings go to others where it may not. A hint for them: the worker itself goes by its own file.
   */
  policy: policySchema.exactOptional(),
});

export type WorkerRecord = z.output<typeof workerRecordSchema>;

/** A node id is unique per process start (and per lease): the worker's name and a random part. */
export function makeNodeId(name: string, random: () => number): string {
  const part = Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, '0');
  return `${name}-${part}`;
}

/** The worker's name within a node id. */
export function workerNameOf(nodeId: string): string {
  return nodeId.replace(/-[0-9a-z]{6}$/, '');
}
