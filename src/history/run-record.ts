/**
 * The terminal record of a firing, under `runs/<job>/<due>[+suffix]`: written exactly once per firing, in the same
 * transaction that removes the firing (and the lock, where there is one).
 */
import { z } from 'zod';
import { decodeRecord, isoText, isoTime, type Decoded } from '../etcd/record.js';
import type { KeyValue } from '../etcd/store.js';

export const OUTCOMES = [
  'succeeded',
  'failed',
  'timed_out',
  'killed',
  'skipped',
  'missed',
  'lost',
  'cancelled',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

const outputSchema = z.object({
  /** The last bytes of the stream, valid UTF-8. */
  text: z.string(),
  /** More was written than `text` holds. */
  truncated: z.boolean(),
  totalBytes: z.number(),
});

const endingFields = {
  exitCode: z.number().int().nullable().default(null),
  signal: z.string().nullable().default(null),
  endedAt: isoTime.nullable().default(null),
  durationMs: z.number().nullable().default(null),
};

export const runRecordSchema = z.object({
  outcome: z.enum(OUTCOMES),
  /** Why, where the outcome alone does not say it. */
  reason: z.string().nullable().default(null),
  /** How many attempts were started (0 for skipped and missed). */
  attempts: z.number().int().nonnegative(),
  /** How many of them ended with their worker instead of by themselves. */
  crashes: z.number().int().nonnegative().default(0),
  /** The worker of the last attempt: its display name and its unique node id. */
  worker: z.string().nullable().default(null),
  nodeId: z.string().nullable().default(null),
  /** The create revision of the lock of the last attempt, as a decimal string. */
  fencingToken: z.string().nullable().default(null),
  ...endingFields,
  startedAt: isoTime.nullable().default(null),
  /** Actual start of the first attempt − due time (for later attempts: − the time it was to start). */
  latenessMs: z.number().nullable().default(null),
  /** Null as well for one that wrote nothing. */
  stdout: outputSchema.nullable().default(null),
  stderr: outputSchema.nullable().default(null),
  manual: z.boolean().default(false),
  /** The run that it repeats. */
  rerunOf: z.string().nullable().default(null),
  /** For `missed`: all due times of the schedule from … through, both included, that have no record of their own. */
  missed: z
    .object({
      from: isoTime,
      through: isoTime,
      count: z.number().int().positive(),
      /** The count stopped at its limit: there were at least so many. */
      atLeast: z.boolean(),
    })
    .nullable()
    .default(null),
  /** For `lost`: how the process ended that outlived its lease, when it could still tell. */
  late: z
    .object({ outcome: z.enum(OUTCOMES), ...endingFields })
    .nullable()
    .default(null),
  recordedAt: isoTime,
});

export type RunRecord = z.output<typeof runRecordSchema>;

/** A record in which nothing ran; callers set what differs. */
export function emptyRecord(outcome: Outcome, reason: string | null, recordedAtMs: number): RunRecord {
  return {
    outcome,
    reason,
    attempts: 0,
    crashes: 0,
    worker: null,
    nodeId: null,
    fencingToken: null,
    exitCode: null,
    signal: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    latenessMs: null,
    stdout: null,
    stderr: null,
    manual: false,
    rerunOf: null,
    missed: null,
    late: null,
    recordedAt: recordedAtMs,
  };
}

export function decodeRun(kv: Pick<KeyValue, 'value'>): Decoded<RunRecord> {
  return decodeRecord(runRecordSchema, kv);
}

/**
 * Leaves out what has its default, since there is one for each firing, and history is the greater part of what etcd holds. Does
 * not go through the schema, which takes ten times as long.
 */
export function encodeRun(record: RunRecord): string {
  const { crashes, startedAt, endedAt, recordedAt, missed, late, manual } = record;
  const fields: RunFields = {
    ...record,
    crashes: crashes === 0 ? null : crashes,
    manual: manual || null,
    startedAt: isoText(startedAt),
    endedAt: isoText(endedAt),
    recordedAt: isoText(recordedAt),
    stdout: orNull(record.stdout),
    stderr: orNull(record.stderr),
    missed: missed && { ...missed, from: isoText(missed.from), through: isoText(missed.through) },
    late: late && { ...late, endedAt: isoText(late.endedAt) },
  };
  const written: Record<string, unknown> = {};
  for (const name in fields) {
    const value = fields[name as keyof RunFields];
    if (value !== null) written[name] = value;
  }
  return JSON.stringify(written);
}

type RunFields = Record<keyof RunRecord, unknown>;

function orNull(output: RunRecord['stdout']): RunRecord['stdout'] {
  return output === null || output.totalBytes === 0 ? null : output;
}
