import { expect, it } from 'vitest';
import { BURST, FailedLogins, networkOf, REFILL_MS } from '../../../src/api/auth/failed-logins.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

it('lets some failures through at once, then one at a time', async () => {
  const clock = new FakeClock(0);
  const logins = new FailedLogins(clock);
  for (let failure = 0; failure < BURST; failure += 1) {
    expect(logins.waitMs('a', null)).toBe(0);
    logins.failed('a');
  }
  expect(logins.waitMs('a', null)).toBe(REFILL_MS);
  expect(logins.waitMs('b', null)).toBe(0);
  await clock.advance(REFILL_MS);
  expect(logins.waitMs('a', null)).toBe(0);
  logins.failed('a');
  expect(logins.waitMs('a', null)).toBe(REFILL_MS);
  await clock.advance(BURST * REFILL_MS);
  expect(logins.waitMs('a', null)).toBe(0);
});

it('holds back whoever guesses one after the other', async () => {
  const clock = new FakeClock(0);
  const logins = new FailedLogins(clock);
  let tried = 0;
  for (let ms = 0; ms < REFILL_MS; ms += 10) {
    if (logins.waitMs('a', null) === 0) {
      logins.failed('a');
      tried += 1;
    }
    await clock.advance(10);
  }
  expect(tried).toBe(BURST);
});

it('remembers a bounded number of addresses, and of tokens of each', () => {
  const logins = new FailedLogins(new FakeClock(0));
  for (let index = 0; index < 20_000; index += 1) logins.failed(`10.${index >> 8}.${index & 255}.1`);
  expect(logins.size).toBe(10_000);
  for (let index = 0; index < 20; index += 1) logins.succeeded('a', `t${index}`);
  for (let failure = 0; failure < BURST; failure += 1) logins.failed('a');
  expect(logins.waitMs('a', 't0')).toBeGreaterThan(0);
  expect(logins.waitMs('a', 't19')).toBe(0);
});

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::ffff', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('takes %s as %s', (address, network) => expect(networkOf(address)).toBe(network));
