import { describe, expect, it } from 'vitest';
import type { Clock } from '../src/clock.js';
import { FakeClock } from '../src/testing/fake-clock.js';
import { WallTimerQueue } from '../src/wall-timer-queue.js';

function setUp() {
  const clock = new FakeClock(1_000_000);
  const calls: [string, number][] = [];
  const queue = new WallTimerQueue(clock, (keys) => {
    for (const key of keys) calls.push([key, clock.now() - 1_000_000]);
  });
  return { clock, calls, queue };
}

describe('WallTimerQueue', () => {
  it('calls each key once, at its time, earliest first, behind one timer', async () => {
    const { clock, calls, queue } = setUp();
    queue.set('c', 1_005_000);
    queue.set('a', 1_000_300);
    queue.set('b', 1_000_300);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(10_000);
    expect(calls.map(([, at]) => at)).toEqual([300, 300, 5_000]);
    expect(new Set(calls.map(([key]) => key))).toEqual(new Set(['a', 'b', 'c']));
    expect([queue.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('moves and drops appointments', async () => {
    const { clock, calls, queue } = setUp();
    queue.set('moved', 1_000_100);
    queue.set('moved', 1_000_900);
    queue.set('dropped', 1_000_200);
    queue.delete('dropped');
    expect([queue.has('moved'), queue.has('dropped')]).toEqual([true, false]);
    await clock.advance(2_000);
    expect(calls).toEqual([['moved', 900]]);
  });

  it('is never early and at most a second late when the wall clock is set', async () => {
    const { clock, calls, queue } = setUp();
    queue.set('x', 1_003_600);
    await clock.advance(500);
    clock.stepWall(-10_000);
    await clock.advance(13_000);
    expect(calls).toEqual([]);
    await clock.advance(100);
    expect(calls).toEqual([['x', 3_600]]);
    queue.set('y', 1_060_000);
    clock.stepWall(3_600_000);
    await clock.advance(1_000);
    expect(calls).toHaveLength(2);
  });

  it('takes new appointments from within a call', async () => {
    const clock = new FakeClock(0);
    let calls = 0;
    const queue: WallTimerQueue = new WallTimerQueue(clock, () => {
      calls += 1;
      if (calls < 3) queue.set('again', clock.now() + 100);
    });
    queue.set('again', 100);
    await clock.advance(1_000);
    expect(calls).toBe(3);
  });

  it('calls nothing and leaves no timer after close', async () => {
    const { clock, calls, queue } = setUp();
    queue.set('a', 1_000_100);
    queue.close();
    queue.set('b', 1_000_200);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1_000);
    expect(calls).toEqual([]);
  });

  it('does not grow with the number of moves', () => {
    const { queue } = setUp();
    for (let move = 0; move < 10_000; move += 1) queue.set('far', 9_000_000 + (move % 7));
    expect(queue.held).toBeLessThan(100);
    expect(queue.size).toBe(1);
    queue.close();
  });

  /** Timers come 2 ms late, as they may; turns of the event loop come every quarter of a millisecond. */
  function setUpPunctual() {
    const clock = new FakeClock(1_000_000);
    const spins: number[] = [];
    const late: Clock = {
      now: () => Math.floor(clock.now()),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs + (delayMs > 10 ? 0.4 : 2), callback),
      soon: (callback) => {
        spins.push(clock.monotonicMs());
        return clock.setTimer(0.25, callback);
      },
    };
    const calls: number[] = [];
    const queue = new WallTimerQueue(late, (keys) => calls.push(...keys.map(() => clock.now() - 1_000_000)), {
      punctual: true,
    });
    return { clock, queue, calls, spins };
  }

  it('is punctual where it can ask the clock again and again, and not early', async () => {
    const { clock, queue, calls, spins } = setUpPunctual();
    queue.set('x', 1_000_500);
    await clock.advance(2_000);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toBeGreaterThanOrEqual(500);
    expect(calls[0]).toBeLessThan(500.5);
    expect(spins.length).toBeGreaterThan(0);
  });

  it('does not spend its time on being punctual', async () => {
    const { clock, queue, calls, spins } = setUpPunctual();
    for (let ms = 1; ms <= 1_000; ms += 1) queue.set(`at ${ms}`, 1_000_000 + ms);
    await clock.advance(1_500);
    expect(calls).toHaveLength(1_000);
    // 3 ms in 200.
    expect(spins.length * 0.25).toBeLessThan(1_000 * (3.5 / 200) + 4);
  });

  it('falls back to its timer when the wall clock is set back meanwhile', async () => {
    const { clock, queue, calls, spins } = setUpPunctual();
    queue.set('x', 1_000_500);
    await clock.advance(499.5);
    clock.stepWall(-5_000);
    await clock.advance(4_000);
    expect(calls).toEqual([]);
    expect(spins.length).toBeLessThan(30);
    await clock.advance(2_000);
    expect(calls).toHaveLength(1);
  });
});
