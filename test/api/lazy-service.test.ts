import { describe, expect, test } from 'vitest';
import { LazyService } from '../../src/api/lazy-service.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

class Counted {
  static started = 0;
  static running = 0;
  failing = false;

  start(): Promise<void> {
    Counted.started += 1;
    Counted.running += 1;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    Counted.running -= 1;
    return Promise.resolve();
  }
}

describe('a service that nobody may need', () => {
  test('begins with its first use, once, and ends when it is not used for a while', async () => {
    Counted.started = Counted.running = 0;
    const clock = new FakeClock();
    const lazy = new LazyService(() => new Counted(), clock, 1_000);
    await clock.advance(5_000);
    expect(Counted.started).toBe(0);
    const [first, second] = await Promise.all([lazy.use(), lazy.use()]);
    expect([first === second, Counted.started]).toEqual([true, 1]);
    await clock.advance(900);
    await lazy.use();
    await clock.advance(900);
    expect(Counted.running).toBe(1);
    await clock.advance(1_200);
    expect([Counted.running, lazy.current]).toEqual([0, null]);
    await lazy.use();
    expect(Counted.started).toBe(2);
    await lazy.close();
    expect([Counted.running, clock.pendingTimers]).toEqual([0, 0]);
    await expect(lazy.use()).rejects.toThrow('stopping');
  });

  test('stays while somebody holds it', async () => {
    Counted.started = Counted.running = 0;
    const clock = new FakeClock();
    const lazy = new LazyService(() => new Counted(), clock, 1_000);
    const { release } = await lazy.hold();
    await clock.advance(10_000);
    expect(Counted.running).toBe(1);
    release();
    release();
    await clock.advance(3_000);
    expect(Counted.running).toBe(0);
    await lazy.close();
  });

  test('a start that fails rejects, and the next use tries again', async () => {
    const clock = new FakeClock();
    let tries = 0;
    const lazy = new LazyService(
      () => ({
        start: () => ((tries += 1) === 1 ? Promise.reject(new Error('etcd is away')) : Promise.resolve()),
        stop: () => Promise.resolve(),
      }),
      clock,
    );
    await expect(lazy.use()).rejects.toThrow('etcd is away');
    await lazy.use();
    expect(tries).toBe(2);
    await lazy.close();
  });
});
