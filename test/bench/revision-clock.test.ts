import { expect, it } from 'vitest';
import { RevisionClock } from '../../bench/revision-clock.js';

it('tells when a revision had been reached', async () => {
  const revisions = [5, 5, 9];
  let nowMs = 0;
  let asked = 0;
  let seenAll = (): void => undefined;
  const done = new Promise<void>((resolve) => (seenAll = resolve));
  const clock = new RevisionClock(
    {
      revision: () => {
        asked += 1;
        if (asked === revisions.length + 1) seenAll();
        return Promise.resolve(revisions[Math.min(asked, revisions.length) - 1]!);
      },
    },
    () => (nowMs += 100),
  );
  await done;
  await clock.stop();
  expect(clock.timeOf(5)).toBe(100);
  expect(clock.timeOf(6)).toBe(300);
  expect(clock.timeOf(10)).toBe(Infinity);
});
