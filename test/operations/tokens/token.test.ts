import { describe, expect, it } from 'vitest';
import { makeToken, matchesHash, parseToken, TOKEN_ANYWHERE } from '../../../src/operations/tokens/token.js';

describe('a token', () => {
  it('has 256 random bits, and is found again by its id', () => {
    const tokens = Array.from({ length: 100 }, makeToken);
    expect(new Set(tokens.map(({ secret }) => secret)).size).toBe(100);
    for (const { text, id, secret, hash } of tokens) {
      expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
      expect(parseToken(text)).toEqual({ id, secret });
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(hash).not.toContain(secret);
      expect(`/api/v1/jobs?x=${text}&y`).toMatch(TOKEN_ANYWHERE);
    }
  });

  it('counts with its own hash only', () => {
    const [one, other] = [makeToken(), makeToken()];
    expect(matchesHash(one, one.hash)).toBe(true);
    expect(matchesHash(one, other.hash)).toBe(false);
    expect(matchesHash({ id: other.id, secret: one.secret }, one.hash)).toBe(false);
    expect(matchesHash(one, null)).toBe(false);
    expect(matchesHash(one, '')).toBe(false);
    expect(matchesHash(one, 'zz')).toBe(false);
    expect(matchesHash(one, '00'.repeat(32))).toBe(false);
  });

  it.each(['', 'etcron', 'etcron__', ' etcron_0123456789ab_', `etcron_0123456789ab_${'x'.repeat(42)}`])(
    'is not %j',
    (text) => expect(parseToken(text)).toBeNull(),
  );

  it('is not what only contains one', () => {
    const { text } = makeToken();
    for (const wrong of [` ${text}`, `${text}\n`, `${text}x`, text.toUpperCase(), `${text}\0`])
      expect(parseToken(wrong)).toBeNull();
  });
});
