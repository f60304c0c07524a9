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
import { decodeRecord, isoMs, isoText, isoTime, type Decoded } from '../etcd/record.js';
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
  /** The run that it repeats, for one that somebody asked to be run again. */
  rerunOf: z.string().nullable().default(null),
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
    rerunOf: null,
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

/**
 * Every node decodes two of them for each firing of the cluster. What a worker wrote is read directly; whatever else it may be is
 * left to the schema, which knows what to say of it.
 */
export function decodeFiring(kv: Pick<KeyValue, 'value'>): Decoded<FiringRecord> {
  const value = readPlain(kv.value);
  return value === null ? decodeRecord(firingRecordSchema, kv) : { ok: true, value };
}

/** A plain one is not much longer than this. */
const MAX_PLAIN_BYTES = 1_024;

/** Null: not one of the usual ones. */
function readPlain(bytes: Buffer): FiringRecord | null {
  if (bytes.length > MAX_PLAIN_BYTES) return null;
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
  const given = json as Partial<Record<keyof FiringRecord, unknown>>;
  const { origin, fingerprint, attempt, crashes = 0, notBefore = null, node = null, slot = null } = given;
  const { misfire = false, waiting = false, requestedBy = null, rerunOf = null, lastWorker = null } = given;
  const notBeforeMs = notBefore === null ? null : isoMs(notBefore);
  const isUsual =
    (origin === 'schedule' || origin === 'manual') &&
    typeof fingerprint === 'string' &&
    isCount(attempt) &&
    isCount(crashes) &&
    (notBefore === null || notBeforeMs !== null) &&
    isTextOrNull(node) &&
    (slot === null || isCount(slot)) &&
    typeof misfire === 'boolean' &&
    typeof waiting === 'boolean' &&
    isTextOrNull(requestedBy) &&
    isTextOrNull(rerunOf) &&
    isTextOrNull(lastWorker) &&
    (given.limitSlots ?? given.only ?? given.expanded ?? null) === null;
  if (!isUsual) return null;
  return {
    origin,
    fingerprint,
    attempt,
    crashes,
    notBefore: notBeforeMs,
    node,
    slot,
    limitSlots: null,
    misfire,
    waiting,
    requestedBy,
    rerunOf,
    lastWorker,
    only: null,
    expanded: null,
  };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

/** Leaves out what has its default: this is the value of which there are most, on every node's wire. */
export function encodeFiring(record: FiringRecord): string {
  const { origin, fingerprint, attempt, crashes, notBefore, node, slot, limitSlots } = record;
  const { misfire, waiting, requestedBy, rerunOf, lastWorker, only, expanded } = record;
  // What is undefined is not written.
  return JSON.stringify({
    origin,
    fingerprint,
    attempt,
    crashes: crashes === 0 ? undefined : crashes,
    notBefore: isoText(notBefore) ?? undefined,
    node: node ?? undefined,
    slot: slot ?? undefined,
    limitSlots: limitSlots ?? undefined,
    misfire: misfire || undefined,
    waiting: waiting || undefined,
    requestedBy: requestedBy ?? undefined,
    rerunOf: rerunOf ?? undefined,
    lastWorker: lastWorker ?? undefined,
    only: only ?? undefined,
    expanded: expanded ?? undefined,
  });
}
