import { describe, expect, it } from 'vitest';
import { climb, type Step } from '../../bench/climb.js';

describe('the climb', () => {
  const upTo = (limit: number) => (rate: number) =>
    Promise.resolve({ figures: { p99: rate }, isCarried: rate <= limit });

  it('ends with the first rate that is too much, whose figures it keeps', async () => {
    expect(await climb([1, 2, 3, 4], upTo(2))).toEqual({
      highest: 2,
      points: [
        { x: 1, figures: { p99: 1 } },
        { x: 2, figures: { p99: 2 } },
        { x: 3, figures: { p99: 3 } },
      ],
    });
  });

  it('measures a step that is too much once more, and no other', async () => {
    const asked: number[] = [];
    const measure = (rate: number): Promise<Step> => {
      asked.push(rate);
      const isCarried = rate === 1 || (rate === 2 && asked.length > 2);
      return Promise.resolve({ figures: { p99: asked.length }, isCarried });
    };
    const found = await climb([1, 2, 3, 4], measure);
    expect(asked).toEqual([1, 2, 2, 3, 3]);
    expect(found.highest).toBe(2);
    expect(found.points.map(({ figures }) => figures.p99)).toEqual([1, 3, 5]);
  });

  it('takes all steps when none is too much, and has nothing when the first is', async () => {
    expect((await climb([1, 2], upTo(9))).highest).toBe(2);
    const none = await climb([1, 2], () => Promise.resolve({ figures: null, isCarried: false }));
    expect(none).toEqual({ highest: 0, points: [] });
  });
});
