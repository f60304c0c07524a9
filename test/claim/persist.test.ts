import { expect, it } from 'vitest';
import { persist } from '../../src/claim/persist.js';
import type { TxnResult } from '../../src/etcd/store.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { refused, unreachable } from '../../src/testing/refusals.js';

const TXN = { compare: [], success: [] };
const DONE: TxnResult = { succeeded: true, revision: 1, results: [] };

function setUp(answers: (Error | TxnResult)[]) {
  const clock = new FakeClock();
  const abort = new AbortController();
  let calls = 0;
  const submit = (): Promise<TxnResult> => {
    const answer = answers[Math.min(calls++, answers.length - 1)]!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const result = persist(submit, TXN, { clock, random: Math.random, signal: abort.signal });
  result.catch(() => undefined);
  return { clock, abort, result, calls: () => calls };
}

it('tries again while the error is a passing one', async () => {
  const { clock, result, calls } = setUp([unreachable('a', true), unreachable('b', false), DONE]);
  await clock.advance(1_000);
  expect(await result).toBe(DONE);
  expect(calls()).toBe(3);
});

it('gives up at once on what trying cannot cure', async () => {
  const { clock, result, calls } = setUp([refused('no')]);
  await expect(result).rejects.toMatchObject({ code: 'ETCRON_ETCD_REFUSED' });
  expect([calls(), clock.pendingTimers]).toEqual([1, 0]);
});

it('ends with the signal, and leaves no timer', async () => {
  const { clock, abort, result } = setUp([unreachable('a', true)]);
  await clock.advance(5_000);
  abort.abort(new Error('over'));
  await expect(result).rejects.toThrow('over');
  expect(clock.pendingTimers).toBe(0);
});
