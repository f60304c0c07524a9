/**
 * Wrong tokens by address: a few at once, then one every few seconds. Memory is bounded: of many addresses those that
 * failed longest ago are forgotten first.
 *
 * While an address is limited no new token gets in from it, right or wrong, so that guessing stops. Tokens that it has
 * used before go on to count: whoever shares the address (a proxy, an office) with a script that has an old token is not
 * locked out by it.
 */
import type { Clock } from '../../clock.js';

/** Failures that are let through at once … */
export const BURST = 10;
/** … and from then on one in this time. */
export const REFILL_MS = 6_000;
const MAX_ADDRESSES = 10_000;
const MAX_KNOWN_TOKENS = 16;

interface Entry {
  /** Failures that have not been worn off yet, as of `atMs`. */
  failures: number;
  atMs: number;
  readonly tokens: Set<string>;
}

export class FailedLogins {
  /** The one that was used last comes last. */
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0: it may try; otherwise ms until it may try again. `tokenId`: see above. */
  waitMs(address: string, tokenId: string | null): number {
    const entry = this.#entries.get(networkOf(address));
    if (!entry || (tokenId !== null && entry.tokens.has(tokenId))) return 0;
    // Failures wear off all the time: another one has to fit in as a whole, or none would ever be held back.
    const tooMany = this.#left(entry) + 1 - BURST;
    return tooMany <= 0 ? 0 : Math.ceil(tooMany * REFILL_MS);
  }

  failed(address: string): void {
    const entry = this.#entry(address);
    entry.failures = Math.min(this.#left(entry) + 1, BURST);
    entry.atMs = this.#clock.monotonicMs();
  }

  /** A token from this address counts. */
  succeeded(address: string, tokenId: string): void {
    const { tokens } = this.#entry(address);
    tokens.delete(tokenId);
    tokens.add(tokenId);
    for (const oldest of tokens) if (tokens.size > MAX_KNOWN_TOKENS) tokens.delete(oldest);
  }

  get size(): number {
    return this.#entries.size;
  }

  #left({ failures, atMs }: Entry): number {
    return Math.max(0, failures - (this.#clock.monotonicMs() - atMs) / REFILL_MS);
  }

  #entry(address: string): Entry {
    const network = networkOf(address);
    const entry = this.#entries.get(network) ?? {
      failures: 0,
      atMs: this.#clock.monotonicMs(),
      tokens: new Set<string>(),
    };
    this.#entries.delete(network);
    this.#entries.set(network, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ADDRESSES) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }
}

/** An IPv4 address as it is, of IPv6 the first 64 bits: one machine has all the rest. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
