/** Jobs: their lists, definitions, due times and histories. */
import { z } from 'zod';
import {
  cursorQuery,
  definitionProblem,
  nextCursor,
  numberQuery,
  optionalBody,
  outcome,
  outcomeCounts,
  pause,
  revision,
  runId,
  textQuery,
  time,
  timeQuery,
  wordsQuery,
} from './common.js';
import { run } from './runs.js';

/** It is parsed in one go, some 0.4 ms for each job, and everybody else waits meanwhile. */
const MAX_TEXT_LENGTH = 256 * 1024;

const JOB_STATES = ['ok', 'paused', 'broken', 'done'] as const;

export const jobState = z
  .enum(JOB_STATES)
  .describe('`broken`: its definition is wrong. `done`: it will never be due again');

const lastRun = z
  .object({ run: runId, due: time, outcome, durationMs: z.number().nullable() })
  .meta({ id: 'LastRun' });

export const job = z
  .object({
    name: z.string(),
    state: jobState,
    pause: pause.nullable(),
    schedule: z.array(z.string()).describe('The expressions as written; empty for a broken job'),
    timezone: z.string().nullable(),
    when: z.string().nullable().describe('The schedule in words'),
    description: z.string(),
    labels: z.record(z.string(), z.string()),
    kind: z.enum(['command', 'http', 'handler']).nullable().describe('What it runs'),
    cannotRun: z.string().nullable().describe('Why no worker can run it; null when one can'),
    problem: z.string().nullable().describe('The first problem of a broken definition'),
    next: time.nullable().describe('Its next due time'),
    running: z.number().int().describe('Firings that a worker has'),
    late: z.number().int().describe('Firings that are due and that nobody has'),
    lastRun: lastRun.nullable().describe('Of the records that this node knows'),
    revision: revision.describe('Of its definition; `If-Match` takes it'),
  })
  .meta({ id: 'Job' });

export type JobView = z.output<typeof job>;

export const dueTime = z
  .object({
    due: time,
    local: z.string().describe('On the clock of the job, such as `Sun 2026-03-08 03:00:00 -04:00`'),
    note: z
      .string()
      .nullable()
      .describe('What a change of clocks does to it: moved, merged, the first or second of two'),
    schedules: z.array(z.string()).describe('The expressions that ask for it'),
  })
  .meta({ id: 'DueTime' });

export const jobDetails = job
  .extend({
    key: z.string().describe('Where it lies in etcd'),
    set: z.string().nullable().describe('The set of files that manages it; null for none'),
    definition: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('As written, without defaults; null when broken'),
    text: z.string().describe('The value as it stands in etcd'),
    yaml: z.string().nullable().describe('The definition as YAML, for an editor'),
    problems: z.array(definitionProblem),
    bounds: z.string().describe('In words: what narrows the schedule'),
    maxRuns: z.number().int().nullable(),
    runsCounted: z.number().int().nullable().describe('How many of `maxRuns` it has had'),
    limits: z.array(z.string()),
    recovery: z.enum(['rerun', 'abandon']).nullable(),
    dueTimes: z.array(dueTime).describe('The next ones'),
    underWay: z.array(run).describe('Its firings that are due, claimed or running'),
    lastRuns: z.array(run),
  })
  .meta({ id: 'JobDetails' });

export type JobDetails = z.output<typeof jobDetails>;

const JOB_SORTS = ['name', '-name', 'next', '-next', 'lastRun', '-lastRun', 'state'] as const;

export const listJobsQuery = z.object({
  q: textQuery.optional().describe('Only jobs whose name, description, schedule or labels contain this text'),
  state: wordsQuery([...JOB_STATES, 'cannot-run', 'running', 'late', 'failing']).optional(),
  label: textQuery.optional().describe('Only jobs with this label: `name` or `name=value`'),
  sort: z.enum(JOB_SORTS).default('name'),
  limit: numberQuery(1, 1_000, 100),
  cursor: cursorQuery,
});

export const jobList = z.object({
  jobs: z.array(job),
  total: z.number().int().describe('How many jobs match, on all pages'),
  next: nextCursor,
});

export const jobParams = z.object({ name: z.string() });

export const definitionText = z
  .string()
  .describe('The definition of one job, as JSON or YAML')
  .meta({ example: 'schedule: "*/5 * * * *"\ncommand: echo hello\n' });

export const savedJob = z.object({
  name: z.string(),
  created: z.boolean(),
  changed: z.boolean().describe('False when it meant the same before'),
  revision,
  warnings: z.array(z.string()).describe('What is valid, and surely not meant'),
});

export const deletedJob = z.object({ deleted: z.string() });

export const pauseBody = optionalBody(
  z.object({
    reason: z.string().min(1).max(256).optional(),
    until: z
      .string()
      .max(64)
      .optional()
      .describe('A moment, in the time zone of the job unless it says otherwise'),
  }),
);

export const pausedJob = z.object({
  name: z.string(),
  paused: z.boolean(),
  changed: z.boolean(),
});

export const nextQuery = z.object({
  count: numberQuery(1, 1_000, 10),
  from: timeQuery.optional().describe('The first one after this; default: now'),
});

export const nextDueTimes = z.object({
  name: z.string(),
  schedule: z.array(z.string()),
  timezone: z.string(),
  when: z.string().describe('The schedule in words'),
  bounds: z.string(),
  pause: pause.nullable(),
  from: time,
  dueTimes: z.array(dueTime),
});

export const historyQuery = z.object({
  days: numberQuery(1, 400, 90),
  timezone: textQuery.optional().describe('In whose days to count; default: that of the job'),
});

export const jobHistory = z.object({
  name: z.string(),
  timezone: z.string(),
  days: z.array(
    z.object({
      date: z.string().describe('Such as 2026-11-21; days without a run are left out'),
      outcomes: outcomeCounts,
      durationMs: z.object({ median: z.number(), max: z.number() }).nullable(),
    }),
  ),
  complete: z.boolean().describe('False when there are more records than were read'),
});

export const validateBody = z.object({
  text: z
    .string()
    .max(MAX_TEXT_LENGTH)
    .describe(`JSON or YAML, at most ${MAX_TEXT_LENGTH} characters: "etcron validate" takes larger files`),
  name: textQuery
    .optional()
    .describe('With a name the text is one definition, else a whole file with `jobs:`'),
});

export const validation = z.object({
  ok: z.boolean(),
  problems: z.array(definitionProblem),
  warnings: z.array(z.string()),
  jobs: z.array(
    z.object({
      name: z.string(),
      when: z.string(),
      timezone: z.string(),
      cannotRun: z.string().nullable(),
      dueTimes: z.array(dueTime),
    }),
  ),
});

export const diffBody = validateBody.extend({
  set: textQuery.default('default').describe('The set of files that the text stands for'),
  prune: z.boolean().default(false).describe('Jobs of the set that the text does not hold go away'),
});

export const jobDiff = z.object({
  problems: z.array(definitionProblem).describe('Why there is no difference: the text is not valid'),
  changes: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['create', 'update', 'unchanged', 'delete']),
      set: z.string().nullable().describe('Which set manages it so far'),
      staysPaused: z.boolean(),
      fields: z.array(
        z.object({
          path: z.string(),
          before: z.unknown().optional(),
          after: z.unknown().optional(),
        }),
      ),
    }),
  ),
});

export const preconditionHeaders = z.object({
  'if-match': z.string().max(64).optional().describe('The `ETag` of the job that is to be changed'),
  'if-none-match': z.string().max(64).optional().describe('`*`: only where there is no such job'),
});
