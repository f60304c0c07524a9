import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { waitFor } from '../../src/testing/wait-for.js';

function counting() {
  const clock = new FakeClock();
  const state = { clock, count: 0 };
  const tick = (): void => {
    state.count++;
    clock.setTimer(1000, tick);
  };
  clock.setTimer(1000, tick);
  return state;
}

describe('waitFor', () => {
  it('stops at the very timer that made the condition true', async () => {
    const state = counting();
    await waitFor(state.clock, () => state.count === 5);
    expect([state.count, state.clock.monotonicMs()]).toEqual([5, 5000]);
    await waitFor(state.clock, () => state.count === 5);
    expect(state.clock.monotonicMs()).toBe(5000);
  });

  it('lets what is already on its way come in before it moves time', async () => {
    const state = counting();
    let settled = false;
    void Promise.resolve().then(() => (settled = true));
    await waitFor(state.clock, () => settled);
    expect(state.clock.monotonicMs()).toBe(0);
  });

  it('gives up after its limit of fake time, or when no timer is left, and says what it waited for', async () => {
    const state = counting();
    await expect(
      waitFor(state.clock, () => state.count === 50, { withinMs: 10_500, what: 'the 50th tick' }),
    ).rejects.toThrow('the 50th tick did not come about in 10000 ms of fake time, nor within 10500 ms');
    expect(state.count).toBe(10);
    await expect(waitFor(new FakeClock(), () => false)).rejects.toThrow('no timer is left');
  });
});
