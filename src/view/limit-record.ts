/**
 * The value of `limits/<name>`: how many runs may go on at once, in the whole cluster, of all jobs that name the limit.
 * `{"size": 3}`, or the number alone, for people who put it there by hand.
 */
import { z } from 'zod';
import { decodeRecord } from '../etcd/record.js';
import type { KeyValue } from '../etcd/store.js';

/** Each run under a limit holds a key of its own. */
export const MAX_LIMIT_SIZE = 100_000;

const size = z.number().int().nonnegative().max(MAX_LIMIT_SIZE);
const limitSchema = z.union([size, z.object({ size })], {
  error: `must be {"size": N} or N, from 0 to ${MAX_LIMIT_SIZE}`,
});

/** What a key under `limits/` holds. */
export interface LimitEntry {
  /** Null when the value is none: then `problem` says why, and nothing runs under the limit. */
  readonly size: number | null;
  readonly problem: string | null;
  readonly modRevision: number;
}

export function decodeLimit(kv: Pick<KeyValue, 'value' | 'modRevision'>): LimitEntry {
  const { modRevision } = kv;
  const decoded = decodeRecord(limitSchema, kv);
  if (!decoded.ok) return { size: null, problem: decoded.problem, modRevision };
  const { value } = decoded;
  return { size: typeof value === 'number' ? value : value.size, problem: null, modRevision };
}

export function encodeLimit(limit: { readonly size: number }): string {
  return JSON.stringify({ size: limit.size });
}
