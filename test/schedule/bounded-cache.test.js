import { expect, it } from 'vitest';
import { BoundedCache } from '../../src/schedule/bounded-cache.js';
it('keeps what was used last', () => {
  const cache = new BoundedCache(2);
  const made = [];
  const get = (key) => cache.getOrMake(key, () => (made.push(key), key.toUpperCase()));
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) expect(get(key)).toBe(key.toUpperCase());
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  expect(cache.size).toBe(2);
});
it('keeps nothing when the value cannot be made', () => {
  const cache = new BoundedCache(2);
  expect(() =>
    cache.getOrMake('a', () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(cache.size).toBe(0);
});
