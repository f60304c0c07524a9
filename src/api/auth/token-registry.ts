/**
 * The tokens that etcd holds, as this process knows them: a mirror that begins with the first request that needs it and
 * ends when nobody has asked for a while.
 *
 * A token that is revoked is refused as soon as the watch says so. While etcd is away, what was known last goes on to count
 * for `MAX_STALE_MS`: somebody who watches an outage is not locked out by it, and a node that was cut off obeys a revoked
 * token no longer than that. Before the first listing, and after this time, nobody gets in.
 */
import type { Clock, Timer } from '../../clock.js';
import { EtcronError, messageOf } from '../../errors.js';
import type { Keys } from '../../etcd/keys.js';
import { Mirror } from '../../etcd/mirror.js';
import { prefixRange, type Store } from '../../etcd/store.js';
import { decodeToken, isExpired, type TokenRecord } from '../../operations/tokens/token-record.js';
import { matchesHash, parseToken } from '../../operations/tokens/token.js';
import type { Logger } from '../../telemetry/logger.js';

export const MAX_STALE_MS = 5 * 60_000;
const IDLE_MS = 5 * 60_000;

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
  readonly #listeners = new Set<() => void>();
  #mirror: Mirror | null = null;
  #starting: Promise<Mirror> | null = null;
  #idle: Timer | null = null;
  #lastUsedMs = 0;
  #currentAtMs = 0;
  #closed = false;

  constructor(context: TokenRegistryContext) {
    this.#context = context;
  }

  /** Rejects with a `StoreError` or ETCRON_ETCD_UNREACHABLE when the tokens are not known. */
  async known(): Promise<KnownTokens> {
    const { clock, keys } = this.#context;
    const mirror = this.#mirror ?? (await (this.#starting ??= this.#start()));
    const nowMs = clock.monotonicMs();
    this.#lastUsedMs = nowMs;
    if (mirror.connected) this.#currentAtMs = nowMs;
    else if (nowMs - this.#currentAtMs > MAX_STALE_MS) throw staleTokens();
    return { isEmpty: mirror.size === 0, check: (text) => check(mirror, keys, text, clock.now()) };
  }

  /** Called after each change. Returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The token still exists; null: there is still none at all. True where that is not known. */
  stillCounts(tokenId: string | null): boolean {
    const mirror = this.#mirror;
    if (mirror === null) return true;
    return tokenId === null ? mirror.size === 0 : mirror.get(this.#context.keys.token(tokenId)) !== undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#idle?.cancel();
    const mirror = this.#mirror ?? (await this.#starting?.catch(() => null));
    this.#mirror = null;
    await mirror?.stop();
  }

  async #start(): Promise<Mirror> {
    const { store, keys, clock, log } = this.#context;
    const mirror = new Mirror(store, prefixRange(keys.tokens), { clock, log, name: 'tokens' });
    mirror.onChange(() => {
      for (const listener of this.#listeners) listener();
    });
    try {
      await mirror.start();
      this.#currentAtMs = clock.monotonicMs();
      if (this.#closed) throw new EtcronError('ETCRON_ETCD_UNREACHABLE', 'this server is stopping');
      this.#mirror = mirror;
      this.#endWhenIdle(IDLE_MS);
      return mirror;
    } catch (error) {
      await mirror.stop();
      if (error instanceof EtcronError) throw error;
      throw new EtcronError('ETCRON_ETCD_UNREACHABLE', `the tokens cannot be read: ${messageOf(error)}`);
    } finally {
      this.#starting = null;
    }
  }

  #endWhenIdle(delayMs: number): void {
    const { clock } = this.#context;
    this.#idle = clock.setTimer(delayMs, () => {
      const restMs = this.#lastUsedMs + IDLE_MS - clock.monotonicMs();
      // Answers that go on listen, to end with their token.
      if (this.#listeners.size > 0) return this.#endWhenIdle(IDLE_MS);
      if (restMs > 0) return this.#endWhenIdle(restMs);
      const mirror = this.#mirror;
      this.#mirror = null;
      void mirror?.stop();
    });
  }
}

function check(mirror: Mirror, keys: Keys, text: string, nowMs: number): TokenCheck {
  const token = parseToken(text);
  if (token === null) return { ok: false, reason: 'malformed', id: null };
  const kv = mirror.get(keys.token(token.id));
  const decoded = kv ? decodeToken(kv) : null;
  const record = decoded?.ok ? decoded.value : null;
  const { id } = token;
  if (!matchesHash(token, record?.hash ?? null) || record === null)
    return { ok: false, reason: 'unknown', id };
  return isExpired(record, nowMs) ? { ok: false, reason: 'expired', id } : { ok: true, id, token: record };
}

function staleTokens(): EtcronError {
  return new EtcronError(
    'ETCRON_ETCD_UNREACHABLE',
    'etcd has been away for minutes, so it is not known which tokens still count',
    { hint: 'Look after etcd first; /healthz, /readyz and the logs of the workers need no token.' },
  );
}
