/** Which keys are audited, and what of their values the record shows. */
import { parseRunId, type Keys } from '../../etcd/keys.js';

/** At most this much of one value … */
const MAX_VALUE_BYTES = 16 * 1024;
/** … and this much of all values of a record, well below what etcd takes in one request. */
const MAX_RECORD_BYTES = 256 * 1024;

/** What people change: everything else is the cluster's own doing. */
export function isAudited(keys: Keys, key: string): boolean {
  if (key === keys.handover) return true;
  if (key.startsWith(keys.firings)) {
    // By hand, as a backfill or as a rerun. What the schedule asks for has none, and nobody but the leader writes it.
    const suffix = parseRunId(key.slice(keys.firings.length))?.suffix ?? null;
    return suffix !== null;
  }
  return [keys.jobs, keys.limits, keys.sets, keys.kills, keys.drains, keys.tokens].some((prefix) =>
    key.startsWith(prefix),
  );
}

/** How much of each value `count` changes may show. */
export function valueRoom(count: number): number {
  return Math.min(MAX_VALUE_BYTES, Math.floor(MAX_RECORD_BYTES / Math.max(2 * count, 1)));
}

/** The value as text: without the hash where it is that of a token, and cut to `roomBytes`. */
export function shownValue(
  keys: Keys,
  key: string,
  value: string | Buffer | null,
  roomBytes: number,
): string | null {
  if (value === null) return null;
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const shown = key.startsWith(keys.tokens) ? withoutHash(bytes) : bytes;
  if (shown.length <= roomBytes) return shown.toString('utf8');
  const mark = `… (cut, of ${shown.length} bytes)`;
  // What lies in the middle of a character at the end becomes a replacement character, which is taken off.
  const text = shown.subarray(0, Math.max(0, roomBytes - Buffer.byteLength(mark))).toString('utf8');
  return text.replace(/\ufffd$/, '') + mark;
}

/** A value that is no token's is not shown at all: nobody knows what it holds. */
function withoutHash(value: Buffer): Buffer {
  try {
    const record: unknown = JSON.parse(value.toString('utf8'));
    if (typeof record === 'object' && record !== null && !Array.isArray(record)) {
      const { name, role, createdAt, createdBy, expiresAt } = record as Record<string, unknown>;
      return Buffer.from(JSON.stringify({ name, role, createdAt, createdBy, expiresAt }));
    }
  } catch {
    // Not JSON.
  }
  return Buffer.from('(not shown)');
}
