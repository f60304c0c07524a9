import type { Cluster } from '../../etcd/cluster.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange } from '../../etcd/store.js';
import { decodeToken, type TokenRecord } from './token-record.js';

export interface TokenEntry {
  readonly id: string;
  /** Without its hash, which nobody needs to see. */
  readonly record: Omit<TokenRecord, 'hash'> | null;
  /** Why it is none; such a one lets nobody in. */
  readonly problem: string | null;
}

const PAGE_SIZE = 500;

/** All tokens, the newest last; those that have expired are among them. Rejects with a `StoreError`. */
export async function listTokens({ store, keys }: Cluster): Promise<TokenEntry[]> {
  const { kvs } = await listRange(store, prefixRange(keys.tokens), { pageSize: PAGE_SIZE });
  const entries = [...kvs.values()].map((kv): TokenEntry => {
    const id = kv.key.slice(keys.tokens.length);
    const decoded = decodeToken(kv);
    if (!decoded.ok) return { id, record: null, problem: decoded.problem };
    const { name, role, createdAt, createdBy, expiresAt } = decoded.value;
    return { id, record: { name, role, createdAt, createdBy, expiresAt }, problem: null };
  });
  return entries.sort((a, b) => (a.record?.createdAt ?? 0) - (b.record?.createdAt ?? 0));
}
