import { describe, expect, it } from 'vitest';
import { Backoff } from '../src/backoff.js';

describe('Backoff', () => {
  it('doubles up to the maximum and stays there', () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    expect(Array.from({ length: 6 }, () => backoff.nextMs())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(100);
  });

  it('is spread over the upper half', () => {
    expect(new Backoff(100, 1_000, () => 0).nextMs()).toBe(50);
  });

  it('stays finite however often it is asked', () => {
    const backoff = new Backoff(1, 60_000, () => 0.5);
    for (let count = 0; count < 5_000; count += 1) backoff.nextMs();
    expect(backoff.nextMs()).toBe(45_000);
  });
});
