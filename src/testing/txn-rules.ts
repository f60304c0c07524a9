/** What etcd accepts as a transaction (checked against etcd 3.4.23). */
import { MAX_TXN_OPERATIONS, type Operation, type Txn } from '../etcd/store.js';
import { compareKeys } from './key-space.js';
import { refused } from './refusals.js';

/** etcd's default `--max-request-bytes`. */
export const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

/** About what protobuf adds to each compare and operation. */
const FRAME_BYTES = 8;

/** Throws what etcd refuses before it looks at any key: in both branches, also in the one that would not run. */
export function checkTxn(txn: Txn): void {
  const branches = [txn.success, txn.failure ?? []];
  const longest = Math.max(txn.compare.length, ...branches.map((branch) => branch.length));
  if (longest > MAX_TXN_OPERATIONS) {
    throw refused(`too many operations in txn request (${longest}, at most ${MAX_TXN_OPERATIONS})`);
  }
  for (const { key } of txn.compare) checkKey(key);
  for (const branch of branches) {
    for (const { key } of branch) checkKey(key);
    checkDuplicates(branch);
  }
  const writes = branches.flat().some((operation) => operation.type !== 'get');
  const bytes = requestBytes(txn);
  if (writes && bytes > MAX_REQUEST_BYTES) throw refused(`request is too large (${bytes} bytes)`);
}

export function checkKey(key: string): void {
  if (key === '') throw refused('key is not provided');
}

/** One revision can hold one version of a key: two puts, or a put and a delete that covers it, are refused. */
function checkDuplicates(branch: readonly Operation[]): void {
  const puts = new Set<string>();
  // etcd overlooks deletes without an upper end here: those may go together with puts of the same keys.
  const deletes = branch.filter((operation) => operation.type === 'delete' && operation.end !== '\0');
  for (const operation of branch) {
    if (operation.type !== 'put') continue;
    const { key } = operation;
    if (puts.has(key) || deletes.some((range) => covers(range, key))) {
      throw refused(`duplicate key given in txn request (${key})`);
    }
    puts.add(key);
  }
}

/** Whether `key` lies in the range of an operation or a watch; see `KeySpace.range` for the special ends. */
export function covers(range: { readonly key: string; readonly end?: string }, key: string): boolean {
  if (range.end === undefined || range.end === '') return key === range.key;
  return compareKeys(key, range.key) >= 0 && (range.end === '\0' || compareKeys(key, range.end) < 0);
}

function requestBytes(txn: Txn): number {
  let bytes = 0;
  for (const { key, to } of txn.compare)
    bytes += FRAME_BYTES + Buffer.byteLength(key) + Buffer.byteLength(String(to));
  for (const operation of [...txn.success, ...(txn.failure ?? [])]) {
    bytes += FRAME_BYTES + Buffer.byteLength(operation.key);
    if (operation.type === 'put') bytes += Buffer.byteLength(operation.value);
    else bytes += Buffer.byteLength(operation.end ?? '');
  }
  return bytes;
}
