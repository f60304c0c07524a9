/**
 * The tokens that etcd holds, as this process knows them: a mirror that begins with the first request that needs it and
 * ends when nobody has asked for a while.
 *
 * A token that is revoked is refused as soon as the watch says so. While etcd is away, what was known last goes on to count
 * for `MAX_STALE_MS`: somebody who watches an outage is not locked out by it, and a node that was cut off obeys a revoked
 * token no longer than that. Before the first listing, and after this time, nobody gets in.
 */
import type { Clock } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import type { Keys } from '../../etcd/keys.js';
import { Mirror } from '../../etcd/mirror.js';
import { prefixRange, type Store } from '../../etcd/store.js';
import { decodeToken, isExpired, type TokenRecord } from '../../operations/tokens/token-record.js';
import { matchesHash, parseToken } from '../../operations/tokens/token.js';
import type { Logger } from '../../telemetry/logger.js';
import { LazyService } from '../lazy-service.js';

export const MAX_STALE_MS = 5 * 60_000;

export interface TokenRegistryContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
}

export type TokenCheck =
  | { readonly ok: true; readonly id: string; readonly token: TokenRecord }
  | {
      readonly ok: false;
      readonly reason: 'malformed' | 'unknown' | 'expired';
      /** What it says it is; null where it is no token at all. */
      readonly id: string | null;
    };

/** What is known of the tokens, at one moment. */
export interface KnownTokens {
  /** There is none, not even an expired or a damaged one. */
  readonly isEmpty: boolean;
  check(text: string): TokenCheck;
}

export class TokenRegistry {
  readonly #context: TokenRegistryContext;
  readonly #mirror: LazyService<Mirror>;
  readonly #listeners = new Set<() => void>();
  /** Since when the present mirror may be old; null while it is current. On the monotonic clock. */
  #staleSinceMs: number | null = null;

  constructor(context: TokenRegistryContext) {
    const { store, keys, clock, log } = context;
    this.#context = context;
    this.#mirror = new LazyService(() => {
      this.#staleSinceMs = clock.monotonicMs();
      const onConnection = (connected: boolean): void => {
        this.#staleSinceMs = connected ? null : (this.#staleSinceMs ?? clock.monotonicMs());
      };
      const mirror = new Mirror(store, prefixRange(keys.tokens), {
        clock,
        log,
        name: 'tokens',
        onConnection,
      });
      mirror.onChange(() => {
        for (const listener of [...this.#listeners]) listener();
      });
      return mirror;
    }, clock);
  }

  /** Rejects with a `StoreError` or ETCRON_ETCD_UNREACHABLE when the tokens are not known. */
  async known(): Promise<KnownTokens> {
    const { clock } = this.#context;
    const mirror = await this.#mirror.use();
    const staleMs = this.#staleSinceMs === null ? 0 : clock.monotonicMs() - this.#staleSinceMs;
    if (staleMs > MAX_STALE_MS) throw staleTokens();
    return { isEmpty: mirror.size === 0, check: (text) => this.#check(mirror, text) };
  }

  /** Calls `listener` after each change, from now on until the function that is returned is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    const held = this.#mirror.hold();
    // Where it cannot be held there is nothing to be heard either.
    held.catch(() => undefined);
    return () => {
      this.#listeners.delete(listener);
      held.then(({ release }) => release()).catch(() => undefined);
    };
  }

  /** The token still exists; null: there is still none at all. True where that is not known. */
  stillCounts(tokenId: string | null): boolean {
    const mirror = this.#mirror.current;
    if (mirror === null) return true;
    return tokenId === null ? mirror.size === 0 : mirror.get(this.#context.keys.token(tokenId)) !== undefined;
  }

  close(): Promise<void> {
    return this.#mirror.close();
  }

  #check(mirror: Mirror, text: string): TokenCheck {
    const { keys, clock } = this.#context;
    const token = parseToken(text);
    if (token === null) return { ok: false, reason: 'malformed', id: null };
    const { id } = token;
    const kv = mirror.get(keys.token(id));
    const decoded = kv ? decodeToken(kv) : null;
    const record = decoded?.ok ? decoded.value : null;
    const isRight = matchesHash(token, record?.hash ?? null);
    if (!isRight || record === null) return { ok: false, reason: 'unknown', id };
    if (isExpired(record, clock.now())) return { ok: false, reason: 'expired', id };
    return { ok: true, id, token: record };
  }
}

function staleTokens(): EtcronError {
  return new EtcronError(
    'ETCRON_ETCD_UNREACHABLE',
    'etcd has been away for minutes, so it is not known which tokens still count',
    { hint: 'Look after etcd first; /healthz, /readyz and the logs of the workers need no token.' },
  );
}
