import { setImmediate } from 'node:timers';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const START = Date.UTC(2026, 10, 21, 14);

describe('FakeClock', () => {
  it('stands still until it is advanced, and moves both times together', async () => {
    const clock = new FakeClock(START);
    const origin = clock.monotonicMs();
    expect(clock.now()).toBe(START);
    await clock.settle();
    expect(clock.now()).toBe(START);
    await clock.advance(1500);
    expect(clock.now()).toBe(START + 1500);
    expect(clock.monotonicMs() - origin).toBe(1500);
    await clock.advanceTo(START + 2000);
    expect(clock.now()).toBe(START + 2000);
    expect(clock.monotonicMs() - origin).toBe(2000);
  });

  it('runs timers in order of time, then of creation, each at its own time', async () => {
    const clock = new FakeClock(START);
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${clock.now() - START}`);
    clock.setTimer(20, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(20, note('d'));
    clock.setTimer(10, note('b'));
    clock.setTimer(21, note('late'));
    clock.setTimer(-5, note('now'));
    expect(clock.pendingTimers).toBe(6);
    await clock.advance(20);
    expect(seen).toEqual(['now@0', 'a@10', 'b@10', 'c@20', 'd@20']);
    expect(clock.pendingTimers).toBe(1);
    expect(clock.nextTimerAt()).toBe(START + 21);
    await clock.advance(1);
    expect(seen.at(-1)).toBe('late@21');
    expect(clock.nextTimerAt()).toBeNull();
  });

  it('lets promise chains settle between two timers, and runs timers that they set', async () => {
    const clock = new FakeClock(START);
    const seen: string[] = [];
    clock.setTimer(10, () => {
      void (async () => {
        for (let i = 0; i < 1000; i++) await Promise.resolve();
        seen.push('after the chain');
        await sleep(clock, 0);
        seen.push(`slept at ${clock.now() - START}`);
        await sleep(clock, 5);
        seen.push(`slept at ${clock.now() - START}`);
      })();
    });
    clock.setTimer(10, () => seen.push('second timer'));
    await clock.advance(100);
    expect(seen).toEqual(['after the chain', 'second timer', 'slept at 10', 'slept at 15']);
  });

  it('waits for code that goes through the event loop and then sets a timer', async () => {
    const clock = new FakeClock(START);
    let rounds = 0;
    const turn = () => {
      if (++rounds === 50) return;
      clock.noteActivity();
      setImmediate(turn);
    };
    setImmediate(turn);
    await clock.settle();
    expect(rounds).toBe(50);
  });

  it('advances a periodic task exactly', async () => {
    const clock = new FakeClock(START);
    const at: number[] = [];
    const loop = async () => {
      for (;;) {
        await sleep(clock, 1000);
        at.push(clock.now() - START);
      }
    };
    void loop();
    await clock.advance(3500);
    await clock.advance(499);
    expect(at).toEqual([1000, 2000, 3000]);
    await clock.advance(1);
    expect(at).toEqual([1000, 2000, 3000, 4000]);
  });

  it('never calls a cancelled timer, also when an earlier timer of the same instant cancels it', async () => {
    const clock = new FakeClock(START);
    const seen: string[] = [];
    const cancelled = clock.setTimer(5, () => seen.push('cancelled'));
    cancelled.cancel();
    cancelled.cancel();
    clock.setTimer(5, () => victim.cancel());
    const victim = clock.setTimer(5, () => seen.push('victim'));
    const fired = clock.setTimer(5, () => seen.push('fired'));
    await clock.advance(10);
    fired.cancel();
    expect(seen).toEqual(['fired']);
  });

  it('steps the wall without moving monotonic time or timers', async () => {
    const clock = new FakeClock(START);
    let fired = 0;
    clock.setTimer(1000, () => fired++);
    clock.stepWall(3_600_000);
    await clock.settle();
    expect(clock.now()).toBe(START + 3_600_000);
    expect(clock.monotonicMs()).toBe(0);
    expect(fired).toBe(0);
    expect(clock.nextTimerAt()).toBe(START + 3_601_000);
    clock.stepWall(-7_200_000);
    await clock.advance(1000);
    expect(fired).toBe(1);
    expect(clock.now()).toBe(START - 3_600_000 + 1000);
  });

  it('runs one timer per step', async () => {
    const clock = new FakeClock(START);
    const seen: number[] = [];
    clock.setTimer(5, () => seen.push(5));
    clock.setTimer(50, () => seen.push(50));
    expect(await clock.step(4)).toBe(false);
    expect(await clock.step(5)).toBe(true);
    expect(clock.now()).toBe(START + 5);
    expect(await clock.step()).toBe(true);
    expect(seen).toEqual([5, 50]);
    expect(await clock.step()).toBe(false);
    expect(clock.now()).toBe(START + 50);
  });

  it('rejects with what a timer throws, and can go on', async () => {
    const clock = new FakeClock(START);
    clock.setTimer(1, () => {
      throw new Error('from the timer');
    });
    await expect(clock.advance(5)).rejects.toThrow('from the timer');
    await clock.advance(5);
  });

  it('refuses two advances at a time, time going back, and nonsense', async () => {
    const clock = new FakeClock(START);
    const first = clock.advance(5);
    await expect(clock.advance(5)).rejects.toThrow('already being advanced');
    await first;
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advanceTo(START)).rejects.toThrow(RangeError);
    expect(() => clock.setTimer(NaN, () => undefined)).toThrow(RangeError);
    expect(() => clock.skewed({ rate: 0 })).toThrow(RangeError);
  });

  it('stops code that sets a timer of no delay for ever', async () => {
    const clock = new FakeClock(START);
    const again = () => void clock.setTimer(0, again);
    again();
    await expect(clock.advance(1)).rejects.toThrow('sets itself again for ever');
  });
});

describe('skewed clocks', () => {
  it('have their own offset, rate and steps on the same time line', async () => {
    const clock = new FakeClock(START);
    await clock.advance(100);
    const ahead = clock.skewed({ offsetMs: 1200 });
    const fast = clock.skewed({ offsetMs: -500, rate: 1.1 });
    expect(ahead.now()).toBe(START + 1300);
    await clock.advance(1000);
    expect(ahead.now()).toBe(START + 2300);
    expect(fast.now()).toBe(START - 400 + 1100);
    expect(fast.monotonicMs()).toBeCloseTo(1100);
    fast.stepWall(10);
    expect(fast.now()).toBe(START - 400 + 1110);
    expect(ahead.now()).toBe(START + 2300);
    expect(clock.now()).toBe(START + 1100);
  });

  it.each([0.9, 0.999, 1.001, 1.1, 1 / 3, Math.PI])(
    'measure timers at their own rate (%f), never early',
    async (rate) => {
      const clock = new FakeClock(START);
      const node = clock.skewed({ rate });
      const shortest = { mono: Infinity, wall: Infinity };
      for (let i = 0; i < 200; i++) {
        const [mono, wall] = [node.monotonicMs(), node.now()];
        let fired = false;
        node.setTimer(1000, () => {
          fired = true;
          shortest.mono = Math.min(shortest.mono, node.monotonicMs() - mono);
          shortest.wall = Math.min(shortest.wall, node.now() - wall);
        });
        await clock.step();
        expect(fired).toBe(true);
      }
      expect(shortest.mono).toBeGreaterThanOrEqual(1000 - 1e-6);
      expect(shortest.wall).toBeGreaterThanOrEqual(1000);
      expect(clock.monotonicMs() * rate).toBeCloseTo(200_000, 0);
    },
  );

  it('order their timers with those of all other clocks', async () => {
    const clock = new FakeClock(START);
    const seen: string[] = [];
    const slow = clock.skewed({ rate: 0.5 });
    const fast = clock.skewed({ rate: 2 });
    slow.setTimer(100, () => seen.push('slow'));
    fast.setTimer(100, () => seen.push('fast'));
    clock.setTimer(100, () => seen.push('true'));
    await clock.advance(1000);
    expect(seen).toEqual(['fast', 'true', 'slow']);
  });
});
