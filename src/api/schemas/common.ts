/** What the schemas of several routes share. They are checked at the door, and make the OpenAPI document. */
import { z } from 'zod';
import { ERROR_CATALOGUE, type ErrorCode } from '../../errors.js';
import { OUTCOMES } from '../../history/run-record.js';

/** An instant, as every time in the API is written. */
export const time = z.iso
  .datetime({ precision: 3 })
  .describe('A moment in UTC, ISO 8601 with milliseconds')
  .meta({ example: '2026-11-21T14:00:00.000Z' });

export const durationMs = z.number().describe('A length of time in milliseconds');

export const runId = z
  .string()
  .describe('A run: `<job>/<due time>[+suffix]`')
  .meta({ example: 'backup/2026-11-21T14:00:00.000Z' });

export const revision = z
  .number()
  .int()
  .nonnegative()
  .describe('A revision of etcd: it grows with every change');

export const outcome = z.enum(OUTCOMES).describe('How a firing ended');

/** One number for each outcome; the ones that did not occur are left out. */
export const outcomeCounts = z.partialRecord(outcome, z.number().int()).meta({
  id: 'OutcomeCounts',
  description: 'How many runs ended how; outcomes that did not occur are left out',
});

const MAX_TEXT = 200;

/** A time in a query: whatever `Date` reads of ISO 8601, or ms since the epoch. */
export const timeQuery = z
  .string()
  .max(40)
  .transform((text, context) => {
    const isZoned = /^\d{4}-\d\d-\d\d(?:T.*(?:Z|[+-]\d\d:?\d\d))?$/i.test(text);
    const ms = /^\d{10,15}$/.test(text) ? Number(text) : Date.parse(isZoned ? text : `${text}Z`);
    if (/^\d/.test(text) && !Number.isNaN(ms) && Math.abs(ms) <= 8.64e15) return ms;
    context.addIssue({ code: 'custom', message: 'must be a time such as 2026-11-21T14:00:00Z' });
    return z.NEVER;
  })
  .describe('A moment: ISO 8601 (in UTC unless it says otherwise), or ms since the epoch');

/** A body that may be left out: then it is `{}`. */
export function optionalBody<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((body): z.output<Schema> => body ?? schema.parse({}));
}

/** A whole number in a query. */
export function numberQuery(min: number, max: number, fallback: number): z.ZodType<number> {
  return z.coerce
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })
    .default(fallback);
}

/** One of several words, or more of them separated by commas. */
export function wordsQuery<const Word extends string>(words: readonly Word[]) {
  return z
    .string()
    .max(MAX_TEXT)
    .transform((text, context): Word[] => {
      const asked = text.split(',').filter((word) => word !== '');
      const wrong = asked.find((word) => !(words as readonly string[]).includes(word));
      if (wrong === undefined && asked.length > 0) return asked as Word[];
      context.addIssue({ code: 'custom', message: `must be one or more of ${words.join(', ')}` });
      return z.NEVER;
    })
    .describe(`One or more of ${words.join(', ')}, separated by commas`);
}

export const textQuery = z.string().max(MAX_TEXT);

export const cursorQuery = z
  .string()
  .max(2_000)
  .describe('Where to go on: `next` of the page before')
  .optional();

export const nextCursor = z
  .string()
  .nullable()
  .describe('Pass it as `cursor` for what follows; null when there is nothing more');

const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457. */
export const problemDocument = z
  .object({
    type: z.string().describe('A URI that names the kind of problem; its last part is the code'),
    title: z.string().describe('What the code stands for; the same for every problem of its kind'),
    status: z.number().int().describe('The HTTP status'),
    detail: z.string().describe('What went wrong here, in one sentence'),
    code: z.enum(ERROR_CODES).describe('The stable code of the error'),
    hint: z.string().nullable().describe('What to do now'),
    details: z.record(z.string(), z.unknown()).describe('Facts for programs, by the kind of the error'),
  })
  .meta({ id: 'Problem', description: 'An error, as RFC 9457 writes it' });

export type ProblemDocument = z.output<typeof problemDocument>;

/** A finding in a text that a person wrote. */
export const definitionProblem = z
  .object({
    code: z.enum(ERROR_CODES),
    path: z.string().describe('Where in the definition, such as `retries.delay`; empty for the whole'),
    message: z.string(),
    hint: z.string().nullable(),
    line: z.number().int().nullable().describe('From 1; null when the place in the text is not known'),
    column: z.number().int().nullable(),
  })
  .meta({ id: 'DefinitionProblem' });

export type DefinitionProblem = z.output<typeof definitionProblem>;

export const pause = z
  .object({
    reason: z.string().nullable(),
    until: time.nullable().describe('When it ends by itself; null: when somebody resumes the job'),
  })
  .meta({ id: 'Pause' });
