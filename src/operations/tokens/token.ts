/**
 * Tokens: `etcron_<id>_<secret>`, with 256 random bits in the secret. The id is no secret: it names the token in lists and
 * logs, and finds its record with one look-up.
 *
 * At rest there is a SHA-256 of the id and the secret. A slow hash (scrypt, argon2) protects what people choose, since it
 * can be guessed; 2^256 values cannot, at any speed, and a slow hash on each request would let anybody keep the API busy.
 * The id in the hash is its salt.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export interface ParsedToken {
  readonly id: string;
  readonly secret: string;
}

const TOKEN = /^etcron_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

/** Finds a token in a longer text, such as a URL or a line of a log. */
export const TOKEN_ANYWHERE = /etcron_[0-9a-f]{12}_[A-Za-z0-9_-]{43}/;

export interface NewToken extends ParsedToken {
  /** What its owner presents; shown once and stored nowhere. */
  readonly text: string;
  readonly hash: string;
}

export function makeToken(): NewToken {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { id, secret, text: `etcron_${id}_${secret}`, hash: hashOf({ id, secret }).toString('hex') };
}

/** Null for what cannot be a token. */
export function parseToken(text: string): ParsedToken | null {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret };
}

/** Compares in constant time; a null hash, for an id that nobody has, takes as long. */
export function matchesHash(token: ParsedToken, hash: string | null): boolean {
  const actual = hashOf(token);
  const expected = hash === null ? Buffer.alloc(actual.length) : Buffer.from(hash, 'hex');
  return expected.length === actual.length && timingSafeEqual(actual, expected) && hash !== null;
}

function hashOf({ id, secret }: ParsedToken): Buffer {
  return createHash('sha256').update(`etcron token\0${id}\0${secret}`).digest();
}
