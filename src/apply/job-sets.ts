/**
 * Which set of files put a job there, and may take it away again. The mark is a key of its own, `sets/<job>`, beside the
 * definition: whoever writes the definition by other means (`etcdctl put`, `jobs pause`) neither sees it nor loses it, and
 * no node reads it.
 *
 * A mark belongs to the job that it was written with or after. When a job is deleted by `etcdctl` and put there anew, the
 * new one was created after the mark, which counts for nothing then: what nobody applied is nobody's to prune.
 */
import { z } from 'zod';
import type { Cluster } from '../etcd/cluster.js';
import { listRange } from '../etcd/listing.js';
import { decodeRecord, encodeRecord } from '../etcd/record.js';
import { prefixRange, type KeyValue } from '../etcd/store.js';

export const DEFAULT_SET = 'default';

const markSchema = z.object({ set: z.string() });

export interface Mark {
  /** Null when the value is damaged. */
  readonly set: string | null;
  readonly modRevision: number;
}

export function encodeMark(set: string): string {
  return encodeRecord(markSchema, { set });
}

/** By job; also those whose job is gone. */
export async function readMarks({ store, keys }: Cluster): Promise<Map<string, Mark>> {
  const { kvs } = await listRange(store, prefixRange(keys.sets), { pageSize: 5_000 });
  return new Map([...kvs].map(([key, kv]) => [key.slice(keys.sets.length), decodeMark(kv)]));
}

export function decodeMark(kv: KeyValue): Mark {
  const decoded = decodeRecord(markSchema, kv);
  return { set: decoded.ok ? decoded.value.set : null, modRevision: kv.modRevision };
}

/** The set that manages a job; null for one that was put there by other means. */
export function ownerOf(job: Pick<KeyValue, 'createRevision'>, mark: Mark | undefined): string | null {
  return mark !== undefined && mark.modRevision >= job.createRevision ? mark.set : null;
}
