import { describe, expect, it } from 'vitest';
import { fitLine, median, percentile, spread } from '../../bench/statistics.js';

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  it('is the nearest rank, in whatever order the values are', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
  });

  it('of few values rather shows the worse one', () => {
    expect(percentile([1, 9], 0.99)).toBe(9);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('leaves the values as they are', () => {
    const values = [3, 1, 2];
    spread('x', values);
    expect(values).toEqual([3, 1, 2]);
    expect(spread('x', values)).toEqual({ xP50Ms: 2, xP99Ms: 3, xMaxMs: 3 });
  });
});

describe('median', () => {
  it('is the middle one, or between the two', () => {
    expect(median([9, 1, 4])).toBe(4);
    expect(median([10, 1, 9, 2])).toBe(5.5);
    expect(median([])).toBeNaN();
  });
});

describe('fitLine', () => {
  it('finds the line that the points lie on', () => {
    const { slope, intercept } = fitLine([0, 1, 2, 3].map((x) => [x, 5 - 2 * x]));
    expect(slope).toBeCloseTo(-2);
    expect(intercept).toBeCloseTo(5);
  });

  it('goes through the middle of noise', () => {
    const { slope, intercept } = fitLine([
      [0, 1],
      [1, 3],
      [2, 1],
      [3, 3],
    ]);
    expect(slope).toBeCloseTo(0.4);
    expect(intercept).toBeCloseTo(1.4);
  });

  it('says nothing about a single moment', () => {
    expect(fitLine([[1, 1]]).slope).toBeNaN();
    expect(fitLine([]).slope).toBeNaN();
  });
});
