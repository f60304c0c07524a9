import { EtcronError } from '../../errors.js';
import { encodeRecord } from '../../etcd/record.js';
import { absent, put } from '../../etcd/txn.js';
import type { OperationContext } from '../context.js';
import type { Role } from '../actor.js';
import { tokenName, tokenRecordSchema, type TokenRecord } from './token-record.js';
import { makeToken } from './token.js';

export interface TokenRequest {
  readonly name: string;
  readonly role: Role;
  /** From now; null: it never expires. */
  readonly lifetimeMs: number | null;
}

export interface CreatedToken {
  readonly id: string;
  /** The token itself. Nobody can find it out again. */
  readonly text: string;
  readonly record: TokenRecord;
}

/** As far as a time can lie from now: 100 years. */
const MAX_TOKEN_LIFETIME_MS = 100 * 365 * 86_400_000;

/** Makes a token. Rejects with ETCRON_USAGE for a name or a length of time that it cannot have, and with a `StoreError`. */
export async function createToken(
  { store, keys, clock, actor }: OperationContext,
  { name, role, lifetimeMs }: TokenRequest,
): Promise<CreatedToken> {
  const checked = tokenName.safeParse(name);
  if (!checked.success) {
    throw new EtcronError('ETCRON_USAGE', `the name of a token ${checked.error.issues[0]!.message}`);
  }
  if (lifetimeMs !== null && !(lifetimeMs > 0 && lifetimeMs <= MAX_TOKEN_LIFETIME_MS)) {
    throw new EtcronError('ETCRON_USAGE', 'a token counts for more than 0s and at most 36500d');
  }
  const nowMs = clock.now();
  const { id, text, hash } = makeToken();
  const record: TokenRecord = {
    ...{ name, role, hash, createdAt: nowMs, createdBy: actor.name },
    expiresAt: lifetimeMs === null ? null : nowMs + lifetimeMs,
  };
  const key = keys.token(id);
  const { succeeded } = await store.txn({
    compare: [absent(key)],
    success: [put(key, encodeRecord(tokenRecordSchema, record))],
  });
  if (!succeeded) throw new EtcronError('ETCRON_CONFLICT', 'a token with this id exists already; try again');
  return { id, text, record };
}
