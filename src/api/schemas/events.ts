/**
 * The data of `GET /api/v1/events`. Each event tells the new state of what changed, so that one that comes twice does no harm.
 * Where so much changed at once that it is not listed, `more` is true, and the reader asks for its list again.
 */
import { z } from 'zod';
import { leader, worker } from './cluster.js';
import { jobState } from './jobs.js';
import { run } from './runs.js';
import { revision, runId, time } from './common.js';

export const EVENT_NAMES = [
  'ready',
  'jobs',
  'firings',
  'runs',
  'workers',
  'leader',
  'stale',
  'reset',
] as const;

export type EventName = (typeof EVENT_NAMES)[number];

const more = z.boolean().describe('More changed than is listed here: ask for the list again');

export const eventSchemas = {
  ready: z.object({ revision, at: time }),
  jobs: z.object({
    changed: z.array(z.object({ name: z.string(), state: jobState, revision })),
    removed: z.array(z.string()),
    more,
  }),
  firings: z.object({ changed: z.array(run), removed: z.array(runId), more }),
  runs: z.object({ ended: z.array(run), more }),
  workers: z.object({ changed: z.array(worker), removed: z.array(z.string()), more }),
  leader: z.object({ leader: leader.nullable() }),
  stale: z.object({
    since: time.nullable().describe('The node does not follow etcd since then; null: it does again'),
  }),
  reset: z.object({ reason: z.string(), at: time }),
} as const satisfies Record<EventName, z.ZodType>;

export type EventData<Name extends EventName> = z.output<(typeof eventSchemas)[Name]>;
