/** Whole clusters under every fault, from fixed seeds; `npm run simulate` runs many more. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../src/testing/simulation/simulate.js';

/** Behind the first ones those with which bugs were found, some of them before there were all of today's faults. */
const SEEDS = [
  ...Array.from({ length: 20 }, (_, index) => index + 1),
  249,
  217,
  374,
  6410,
  11074,
  302655,
  1000144,
  1000833,
  2010279,
  2020217,
  3029669,
];

describe('the simulation', () => {
  it.each(SEEDS)('keeps all promises (seed %i)', async (seed) => {
    const { violations, timeline } = await simulate(seed);
    expect(violations, timeline.join('\n')).toEqual([]);
  });

  it('does the same again from the same seed', async () => {
    const [first, second] = [await simulate(7), await simulate(7)];
    expect(second).toEqual(first);
    expect(first.firings).toBeGreaterThan(0);
  });
});
