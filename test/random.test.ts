import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/random.js';

const draws = (random: { next(): number }, count = 8) => Array.from({ length: count }, () => random.next());

describe('createRandom', () => {
  it('repeats itself for the same seed, and only then', () => {
    expect(draws(createRandom(42))).toEqual(draws(createRandom(42)));
    expect(draws(createRandom('42'))).toEqual(draws(createRandom(42)));
    const firsts = Array.from({ length: 1000 }, (_, seed) => createRandom(seed).next());
    expect(new Set(firsts).size).toBe(1000);
  });

  it('gives the very same numbers in every version and on every platform', () => {
    const random = createRandom('etcron');
    expect(Array.from({ length: 6 }, () => random.int(2 ** 32))).toMatchInlineSnapshot(`
      [
        1085534957,
        666594049,
        1412711176,
        3622410895,
        668391150,
        2872496476,
      ]
    `);
  });

  it('stays in range and fills it evenly', () => {
    const random = createRandom(7);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const value = random.next();
      expect(value >= 0 && value < 1).toBe(true);
      buckets[random.int(10)]!++;
    }
    // 2,000 expected in each, standard deviation 42: the seed is fixed, so this cannot flake.
    for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(200);
    expect(random.int(1)).toBe(0);
  });

  it('picks, shuffles and takes chances', () => {
    const random = createRandom(1);
    const list = ['a', 'b', 'c', 'd'];
    const picked = new Set(Array.from({ length: 100 }, () => random.pick(list)));
    expect([...picked].sort()).toEqual(list);
    const orders = new Set(Array.from({ length: 500 }, () => random.shuffle(list).join('')));
    expect(orders.size).toBe(24);
    expect(list).toEqual(['a', 'b', 'c', 'd']);
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.2)).filter(Boolean).length;
    expect(Math.abs(hits - 2000)).toBeLessThan(200);
    expect([random.chance(0), random.chance(1)]).toEqual([false, true]);
  });

  it('forks by name, whatever was drawn before', () => {
    const one = createRandom(5);
    const other = createRandom(5);
    draws(other, 100);
    expect(draws(one.fork('network'))).toEqual(draws(other.fork('network')));
    expect(draws(one.fork('network'))).not.toEqual(draws(one.fork('disk')));
    expect(draws(one.fork('a').fork('b'))).not.toEqual(draws(one.fork('ab')));
    expect(draws(one.fork('network'))).not.toEqual(draws(createRandom(5)));
  });

  it('refuses what it cannot do', () => {
    const random = createRandom(1);
    for (const limit of [0, -1, 1.5, NaN, 2 ** 33]) expect(() => random.int(limit)).toThrow(RangeError);
    expect(() => random.pick([])).toThrow(RangeError);
  });
});
