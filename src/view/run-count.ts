/**
 * The value of `counts/<job>`: how many runs of its schedule a job with `maxRuns` has had. It is raised in the transaction
 * that claims the first attempt of a run, which compares the key's modification revision: however many workers there are,
 * no more than `maxRuns` get through. A claim that is given back before anything ran takes its one back.
 *
 * It belongs to one life of the job, told by the create revision of the job's key: edits keep it, and a job that was deleted
 * and put there anew begins at 0, also before the leader has removed what is left of the old one. A value that is none
 * counts as 0, too, and is written over.
 */
import { z } from 'zod';
import { decodeRecord, encodeRecord, isoTime } from '../etcd/record.js';
import type { KeyValue } from '../etcd/store.js';
import { MAX_RUNS } from '../jobs/limits.js';

const runCountSchema = z.object({
  /** The create revision of the job's key. */
  job: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  runs: z.number().int().nonnegative().max(MAX_RUNS),
  /** When the last one was claimed. */
  at: isoTime,
});

export type RunCountRecord = z.output<typeof runCountSchema>;

/** What a key under `counts/` holds. */
export interface RunCount {
  /** Null when the value is none: then `problem` says why. */
  readonly value: RunCountRecord | null;
  readonly problem: string | null;
  readonly modRevision: number;
}

export function decodeRunCount(kv: Pick<KeyValue, 'value' | 'modRevision'>): RunCount {
  const decoded = decodeRecord(runCountSchema, kv);
  return {
    value: decoded.ok ? decoded.value : null,
    problem: decoded.ok ? null : decoded.problem,
    modRevision: kv.modRevision,
  };
}

export function encodeRunCount(record: RunCountRecord): string {
  return encodeRecord(runCountSchema, record);
}
