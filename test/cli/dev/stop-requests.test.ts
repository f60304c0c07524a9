import { afterEach, expect, test } from 'vitest';
import { StopRequests } from '../../../src/cli/dev/stop-requests.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

let requests: StopRequests | undefined;
afterEach(() => requests?.close());

function setup() {
  const clock = new FakeClock();
  const told: string[] = [];
  requests = new StopRequests(clock, null, () => told.push('second'));
  void requests.first.then(() => told.push('first'));
  // Only the listeners are called: nothing ends this process.
  const send = async (): Promise<void> => {
    process.emit('SIGHUP', 'SIGHUP');
    await clock.settle();
  };
  return { clock, told, send, requests };
}

test('one Ctrl-C that arrives twice is one request', async () => {
  const { clock, told, send, requests } = setup();
  await send();
  await clock.advance(499);
  await send();
  expect(told).toEqual(['first']);
  expect(requests.requested).toBe(true);
  expect(requests.exitCode).toBe(0);
});

test('a later one is the second request, which shows in the exit code', async () => {
  const { clock, told, send, requests } = setup();
  await send();
  await clock.advance(500);
  await send();
  expect(told).toEqual(['first', 'second']);
  expect(requests.exitCode).toBe(129);
});

test('after the end signals are none of its business', async () => {
  const { told, requests } = setup();
  const before = process.listenerCount('SIGHUP');
  requests.close();
  expect(process.listenerCount('SIGHUP')).toBe(before - 1);
  expect(told).toEqual([]);
});
