import { expect, it } from 'vitest';
import { inParallel } from '../src/parallel.js';

it('does everything, with no more than the limit at a time', async () => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    done.push(item);
  });
  expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(most).toBe(3);
});

it('begins nothing after an error, and rejects with the first one when all under way have ended', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const result = inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    await new Promise((resolve) => setImmediate(resolve));
    ended.push(item);
    if (item <= 2) throw new Error(`item ${item}`);
  });
  await expect(result).rejects.toThrow('item 1');
  expect(begun).toEqual([1, 2]);
  expect(ended).toEqual([1, 2]);
});

it('has nothing to do with nothing', async () => {
  await inParallel([], 4, () => Promise.reject(new Error('never called')));
});
