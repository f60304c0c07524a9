/**
 * The value of `firings/<job>/<due>[+suffix]`: a firing that is planned or in flight. Its life:
 *
 *     planned ──claim──▶ claimed/running ──finish──▶ (deleted, run record written)
 *        │  └─ due, and no slot free ─▶ waiting ──claim──▶ claimed/running …    (or `skipped`: its job's overlap rule)
 *        │                   │    ▲
 *        │                   │    └──claim── waiting for its next attempt (attempt > 0, node null, notBefore)
 *        │                   ├──retry──────────────▲
 *        │                   └──worker dies──▶ orphaned (attempt > 0, node set, no lock): raced for again, or `lost`
 *        └──voided by an edit, a pause or a delete of the job (deleted without a record: it never started)
 */
import { z } from 'zod';
import { decodeRecord, isoTime, type Decoded } from '../etcd/record.js';
import type { FiringId } from '../etcd/keys.js';
import type { KeyValue } from '../etcd/store.js';

/** Counts go on from what stands there: what could not be counted on from was not written by a worker. */
const MAX_COUNT = 1_000_000;

export const firingRecordSchema = z.object({
  /** Where it comes from. Only scheduled ones are voided when the schedule changes. */
  origin: z.enum(['schedule', 'manual']),
  /** The fingerprint of the schedule that it was planned from; empty for manual ones. */
  fingerprint: z.string(),
  /** How many attempts were claimed so far. */
  attempt: z.number().int().nonnegative().max(MAX_COUNT),
  /** How many of them were lost with their worker. */
  crashes: z.number().int().nonnegative().max(MAX_COUNT).default(0),
  /** Not to be started before this time: when the job's jitter or the delay of a retry ends. Null: the due time. */
  notBefore: isoTime.nullable().default(null),
  /** The node that claimed it, and the concurrency slot that it holds, while it is in flight. */
  node: z.string().nullable().default(null),
  slot: z.number().int().nonnegative().nullable().default(null),
  /** By the name of the limit: the slot that it holds of each, while it is in flight. */
  limitSlots: z.record(z.string(), z.number().int().nonnegative()).nullable().default(null),
  /** It is overdue on purpose: the misfire policy chose it to run late. */
  misfire: z.boolean().default(false),
  /** Its time came, and it waits for its turn: for a slot of its job, or of a limit. It is no misfire, however late it runs. */
  waiting: z.boolean().default(false),
  /** Who asked for it (manual ones). */
  requestedBy: z.string().nullable().default(null),
  /** The worker of the last attempt that failed, by name. */
  lastWorker: z.string().nullable().default(null),
  /** One of those that a firing for all workers was expanded into: for this worker, the index-th of count (from 0). */
  only: z
    .object({
      worker: z.string(),
      index: z.number().int().nonnegative(),
      count: z.number().int().positive(),
    })
    .nullable()
    .default(null),
  /** A firing for all workers: it was expanded into so many, and ends with the last of them. */
  expanded: z.number().int().nonnegative().nullable().default(null),
});

export type FiringRecord = z.output<typeof firingRecordSchema>;

/** A firing as the planner puts it: nobody has touched it. */
export function plannedFiring(
  fingerprint: string,
  misfire = false,
  notBefore: number | null = null,
): FiringRecord {
  return {
    origin: 'schedule',
    fingerprint,
    attempt: 0,
    crashes: 0,
    notBefore,
    node: null,
    slot: null,
    limitSlots: null,
    misfire,
    waiting: false,
    requestedBy: null,
    lastWorker: null,
    only: null,
    expanded: null,
  };
}

/** When an attempt may start, in ms since the epoch: its due time, or the end of its jitter or retry delay. */
export function startTime({ id, value }: { readonly id: FiringId; readonly value: FiringRecord }): number {
  return Math.max(id.dueMs, value.notBefore ?? -Infinity);
}

/** A firing outside the schedule, due now. */
export function manualFiring(requestedBy: string | null): FiringRecord {
  return { ...plannedFiring(''), origin: 'manual', requestedBy };
}

export function decodeFiring(kv: Pick<KeyValue, 'value'>): Decoded<FiringRecord> {
  return decodeRecord(firingRecordSchema, kv);
}

/** Leaves out what has its default: this is the value of which there are most, on every node's wire. */
export function encodeFiring(record: FiringRecord): string {
  const written: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(z.encode(firingRecordSchema, record))) {
    const isDefault = value === null || value === false || (name === 'crashes' && value === 0);
    if (!isDefault) written[name] = value;
  }
  return JSON.stringify(written);
}
