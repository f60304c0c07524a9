/**
 * Builders for the parts of a transaction, so that `{ compare: [absent(lock)], success: [put(lock, me, lease)],
 * failure: [get(lock)] }` reads like what it does.
 */
import type { Compare, KeyRange, Operation } from './store.js';

/** The key does not exist. */
export function absent(key: string): Compare {
  return { key, target: 'create', op: '=', to: 0 };
}

/** The key exists, whatever its value. */
export function exists(key: string): Compare {
  return { key, target: 'create', op: '!=', to: 0 };
}

/** The key exists and was created at `revision`, and not deleted and created again since: the fencing compare. */
export function createdAt(key: string, revision: number): Compare {
  return { key, target: 'create', op: '=', to: revision };
}

/** The key was last written at `revision`, so it is still what was read then; 0: it does not exist. */
export function modifiedAt(key: string, revision: number): Compare {
  return { key, target: 'mod', op: '=', to: revision };
}

/** Writes a key. Without `leaseId` the key is attached to no lease, even when it was attached to one before. */
export function put(key: string, value: string | Buffer, leaseId?: string): Operation {
  return leaseId === undefined ? { type: 'put', key, value } : { type: 'put', key, value, leaseId };
}

/** Deletes one key; no error when it does not exist. */
export function del(key: string): Operation {
  return { type: 'delete', key };
}

/** Deletes all keys of a range. */
export function delRange(range: KeyRange): Operation {
  return { type: 'delete', key: range.start, end: range.end };
}

/** Reads one key, as it is after the operations before it in the same transaction. */
export function get(key: string): Operation {
  return { type: 'get', key };
}

/** Reads a range, ascending by key. */
export function getRange(range: KeyRange, options: { limit?: number; keysOnly?: boolean } = {}): Operation {
  return { type: 'get', key: range.start, end: range.end, ...options };
}
