import { expect, test } from 'vitest';
import { sharedText } from '../../../src/telemetry/metrics/metrics-text.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

test('the text is made once a second for any number that ask', async () => {
  const clock = new FakeClock();
  let made = 0;
  const text = sharedText(async () => `text ${++made}`, clock);
  expect(await Promise.all([text(), text(), text()])).toEqual(['text 1', 'text 1', 'text 1']);
  await clock.advance(999);
  expect(await text()).toBe('text 1');
  await clock.advance(1);
  expect(await text()).toBe('text 2');
});

test('a failure is not kept', async () => {
  let made = 0;
  const text = sharedText(async () => {
    if (++made === 1) throw new Error('no');
    return 'text';
  }, new FakeClock());
  await expect(text()).rejects.toThrow('no');
  expect(await text()).toBe('text');
});
