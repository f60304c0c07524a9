/** Runs: firings that are planned or under way, and the records of those that ended. One shape serves for both. */
import { z } from 'zod';
import {
  cursorQuery,
  durationMs,
  nextCursor,
  numberQuery,
  optionalBody,
  outcome,
  revision,
  runId,
  textQuery,
  time,
  timeQuery,
  wordsQuery,
} from './common.js';
import { OUTCOMES } from '../../history/run-record.js';

const RUN_STATES = [
  'planned',
  'late',
  'queued',
  'waiting',
  'claimed',
  'running',
  'expanded',
  'orphaned',
  'ended',
] as const;

export const runState = z
  .enum(RUN_STATES)
  .describe(
    '`planned`: due later. `late`: due, and nobody has claimed it. `queued`: due, and it waits for a slot of its job or of a limit. ' +
      '`waiting`: its last attempt failed or was lost, and the next one is to come. `claimed`: a worker has it, and its time has not come. ' +
      '`running`. `expanded`: it stands for one run on each worker. `orphaned`: its worker is gone, and another one takes it over. ' +
      '`ended`: `outcome` says how.',
  );

export const run = z
  .object({
    run: runId,
    job: z.string(),
    due: time,
    suffix: z
      .string()
      .nullable()
      .describe(
        '`manual-<id>` for a run outside of the schedule, `on-<worker>` for one of a job that runs everywhere',
      ),
    manual: z.boolean().describe('Somebody asked for it; the schedule did not'),
    state: runState,
    outcome: outcome.nullable().describe('Null while it is not over'),
    reason: z.string().nullable().describe('Why it ended so, where the outcome alone does not say it'),
    why: z.string().nullable().describe('What keeps it from its turn, while it is late or queued'),
    attempts: z.number().int().describe('How many attempts were started'),
    crashes: z.number().int().describe('How many of them were lost with their worker'),
    worker: z.string().nullable().describe('The name of the worker of the last attempt'),
    node: z.string().nullable().describe('The node id of that worker'),
    notBefore: time.nullable().describe('The next attempt, or a start delayed by jitter, is not before this'),
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    durationMs: durationMs.nullable(),
    latenessMs: durationMs.nullable().describe('Actual start of the first attempt, less the due time'),
    exitCode: z.number().int().nullable(),
    signal: z.string().nullable(),
    recordedAt: time.nullable(),
    hasOutput: z.boolean().describe('It wrote something to stdout or stderr'),
    killRequested: z.boolean().describe('Somebody asked for its end, and it has not ended yet'),
  })
  .meta({ id: 'Run', description: 'One firing of a job: planned, under way or over' });

export type RunView = z.output<typeof run>;

const outputTail = z
  .object({
    text: z.string().describe('The last of what was written'),
    truncated: z.boolean().describe('More was written than `text` holds'),
    totalBytes: z.number(),
  })
  .meta({ id: 'OutputTail' });

export const runDetails = run
  .extend({
    fencingToken: z.string().nullable().describe('Of the last attempt: the create revision of its lock'),
    requestedBy: z.string().nullable().describe('Who asked for it'),
    misfire: z.boolean().describe('The misfire policy chose it to run late'),
    claimedAt: time.nullable(),
    kill: z
      .object({ by: z.string().nullable(), reason: z.string(), at: time })
      .nullable()
      .describe('The request to end it'),
    missed: z
      .object({ from: time, through: time, count: z.number().int(), atLeast: z.boolean() })
      .nullable()
      .describe('For `missed`: the due times that this record covers'),
    late: z
      .object({
        outcome,
        exitCode: z.number().int().nullable(),
        signal: z.string().nullable(),
        endedAt: time.nullable(),
        durationMs: durationMs.nullable(),
      })
      .nullable()
      .describe('For `lost`: how a process ended that outlived its lease'),
    stdout: outputTail.nullable(),
    stderr: outputTail.nullable(),
    problem: z.string().nullable().describe('Why the record cannot be read, when it is damaged'),
    revision: revision.describe('Of the record or the firing'),
    jobExists: z.boolean(),
  })
  .meta({ id: 'RunDetails' });

export type RunDetails = z.output<typeof runDetails>;

export const listRunsQuery = z.object({
  job: textQuery.optional().describe('Only runs of this job'),
  q: textQuery.optional().describe('Only runs whose job contains this text'),
  outcome: wordsQuery(OUTCOMES).optional(),
  worker: textQuery
    .optional()
    .describe('Only runs whose last attempt was on this worker (its name or node id)'),
  from: timeQuery.optional().describe('Only due times from here on'),
  to: timeQuery.optional().describe('Only due times before this'),
  state: z
    .enum(['ended', 'running', 'planned', 'late', 'any'])
    .default('ended')
    .describe(
      '`ended`: records, newest first. `running`: claimed or running. `planned`: planned ahead, soonest first. `late`: what should have begun and has not. `any`: everything',
    ),
  limit: numberQuery(1, 1_000, 100),
  cursor: cursorQuery,
});

export const runList = z.object({
  runs: z.array(run),
  next: nextCursor,
  complete: z
    .boolean()
    .describe('False when older records exist that are not searched; ask with `job` for all of one job'),
});

export const runParams = z.object({
  job: z.string(),
  due: z.string().describe('`<due time>[+suffix]`, as in the id of the run'),
});

export const killBody = optionalBody(
  z.object({ reason: z.string().min(1).max(256).default('no reason given') }),
);

export const killed = z.object({ run: runId, requested: z.literal(true) });

export const requestedRun = z.object({ run: runId, job: z.string(), due: time });
