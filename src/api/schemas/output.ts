/** The whole output of attempts, as their workers keep it. */
import { z } from 'zod';
import { time } from './common.js';

const offset = z.number().int().nonnegative().describe('Bytes of what was asked for that come before it');
const stream = z.enum(['stdout', 'stderr']);

export const outputPiece = z
  .object({
    stream,
    time,
    offset,
    text: z.string().optional().describe('What was written, where it is UTF-8'),
    base64: z.string().optional().describe('The bytes that were written, where they are not'),
  })
  .meta({ id: 'OutputPiece', description: 'Has either `text` or `base64`' });

const outputGap = z
  .object({ offset, gap: z.number().int().describe('So many bytes are not kept') })
  .meta({ id: 'OutputGap' });

export const outputEnd = z
  .object({
    offset,
    end: z.literal(true),
    complete: z.boolean().describe('False: it still runs, or its worker did not get to the end of it'),
  })
  .meta({ id: 'OutputEnd' });

/** Pieces of an output, in the order in which they came. */
export const outputLine = z.union([outputPiece, outputGap, outputEnd]);

export type OutputLine = z.output<typeof outputLine>;

/** An attempt of which a worker has output. */
export const keptOutput = z
  .object({
    attempt: z.number().int().describe('1 for the first'),
    worker: z.string().describe('The name of the worker that has it'),
    node: z.string().nullable().describe('The node id of the worker that ran it'),
    fencingToken: z.string(),
    startedAt: time,
    endedAt: time.nullable().describe('Null: it still runs, or its worker did not get to its end'),
    stdoutBytes: z.number().int(),
    stderrBytes: z.number().int(),
    keptBytes: z.number().int().describe('What its files take'),
  })
  .meta({ id: 'KeptOutput' });

export type KeptOutput = z.output<typeof keptOutput>;

export const keptOutputs = z.object({ attempts: z.array(keptOutput) });

const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

const streamQuery = z
  .enum(['stdout', 'stderr', 'both'])
  .default('both')
  .describe('`both`: in the order in which it came');

const attemptQuery = z.coerce
  .number({ error: 'must be a whole number from 1' })
  .int()
  .min(1)
  .max(1_000_000)
  .optional()
  .describe('1 for the first; the last one by default');

const offsetQuery = z.coerce
  .number({ error: 'must be a whole number' })
  .int()
  .min(-MAX_OFFSET)
  .max(MAX_OFFSET)
  .default(0)
  .describe('Of the first byte of what is asked for; negative: so many bytes before its present end');

const limitQuery = z.coerce
  .number({ error: 'must be a whole number from 1' })
  .int()
  .min(1)
  .max(MAX_OFFSET)
  .optional()
  .describe('At most so many bytes; all by default');

const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('false')
  .transform((text) => text === '1' || text === 'true');

export const outputQuery = z.object({
  attempt: attemptQuery,
  stream: streamQuery,
  offset: offsetQuery,
  limit: limitQuery,
  format: z
    .enum(['raw', 'lines'])
    .default('raw')
    .describe('`raw`: the bytes. `lines`: JSON, one piece a line, with stream, time and offset'),
  follow: flag.describe('With `format=lines`: also what is still to come, until the attempt ends'),
});

export const followQuery = z.object({ attempt: attemptQuery, stream: streamQuery, offset: offsetQuery });

/** Between nodes. */
export const hopQuery = z.object({
  attempt: z.coerce.number().int().min(1),
  stream: streamQuery,
  offset: offsetQuery,
  limit: limitQuery,
  follow: flag,
});
