import { EtcronError } from '../../errors.js';
import { prefixRange } from '../../etcd/store.js';
import { del, exists, getRange } from '../../etcd/txn.js';
import { quote } from '../../jobs/index.js';
import type { OperationContext } from '../context.js';
import { listTokens } from './list-tokens.js';

export interface Revocation {
  readonly id: string;
  /** Null where its record was damaged. */
  readonly name: string | null;
  /** It was the last one: on loopback addresses everybody is an admin again. */
  readonly wasLast: boolean;
}

/**
 * Takes a token away, by its id or by its name where only one has it; it stops to count within about a second. Rejects with
 * ETCRON_TOKEN_NOT_FOUND, with ETCRON_CONFLICT where several have the name, and with a `StoreError`.
 */
export async function revokeToken(context: OperationContext, idOrName: string): Promise<Revocation> {
  const { store, keys } = context;
  const tokens = await listTokens(context);
  const byId = tokens.find(({ id }) => id === idOrName);
  const found = byId ? [byId] : tokens.filter(({ record }) => record?.name === idOrName);
  if (found.length > 1) {
    const ids = found.map(({ id }) => id);
    throw new EtcronError('ETCRON_CONFLICT', `${found.length} tokens have the name ${quote(idOrName)}`, {
      hint: `Name one by its id: ${ids.join(', ')}.`,
      details: { ids },
    });
  }
  const [token] = found;
  if (!token) throw notFound(idOrName);
  const key = keys.token(token.id);
  const { succeeded, results } = await store.txn({
    compare: [exists(key)],
    success: [del(key), getRange(prefixRange(keys.tokens), { limit: 1, keysOnly: true })],
  });
  if (!succeeded) throw notFound(idOrName);
  const rest = results[1]?.type === 'get' ? results[1].kvs.length : 0;
  return { id: token.id, name: token.record?.name ?? null, wasLast: rest === 0 };
}

function notFound(idOrName: string): EtcronError {
  return new EtcronError('ETCRON_TOKEN_NOT_FOUND', `there is no token ${quote(idOrName)}`, {
    hint: 'See "etcron tokens list".',
  });
}
