/** What is read when, and that nothing is lost for it. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { AttemptLog } from '../../../src/run/output/attempt-log.js';
import { NO_LOG } from '../../../src/run/output/attempt-log.js';
import { PacedReading } from '../../../src/run/output/paced-reading.js';
import { ReadBudget } from '../../../src/run/output/read-budget.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

const KIB = 1024;
const turns = async (): Promise<void> => {
  for (let count = 0; count < 20; count += 1) await new Promise(setImmediate);
};

describe('the budget', () => {
  it('is used up, and filled again with time, never beyond a tick', async () => {
    const clock = new FakeClock(0);
    const budget = new ReadBudget(clock, 100);
    expect(budget.spend(60)).toBe(true);
    expect(budget.spend(60)).toBe(false);
    await clock.advance(10);
    expect(budget.spend(70)).toBe(true);
    await clock.advance(1_000);
    expect(budget.spend(99)).toBe(true);
    expect(budget.spend(1)).toBe(false);
  });

  it('lets those who wait have their turn in the order in which they came, a few at a time', async () => {
    const clock = new FakeClock(0);
    const budget = new ReadBudget(clock, 128 * KIB);
    budget.spend(128 * KIB);
    const told: number[] = [];
    for (let index = 0; index < 5; index += 1) budget.whenMore(() => told.push(index));
    const leave = budget.whenMore(() => told.push(99));
    leave();
    await clock.advance(10);
    expect(told).toEqual([0, 1]);
    budget.spend(128 * KIB);
    await clock.advance(10);
    expect(told).toEqual([0, 1, 2, 3]);
    await clock.advance(10);
    expect(told).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('a stream', () => {
  const read = (log: AttemptLog, budget: ReadBudget) => {
    const stream = new PassThrough();
    const reading = new PacedReading(log, budget);
    let bytes = 0;
    const ended = reading.read(
      stream,
      (chunk) => (bytes += chunk.length),
      () => undefined,
    );
    return { stream, reading, ended, bytes: () => bytes };
  };

  it('is read no faster than the budget allows, and to its end all the same', async () => {
    const clock = new FakeClock(0);
    const { stream, reading, ended, bytes } = read(NO_LOG, new ReadBudget(clock, 64 * KIB));
    const source = Buffer.alloc(64 * KIB);
    for (let count = 0; count < 10; count += 1) stream.write(source);
    stream.end();
    await turns();
    expect(bytes()).toBeLessThanOrEqual(2 * 64 * KIB);
    expect(reading.takeHeldBack()).toBe(true);
    for (let count = 0; count < 20; count += 1) {
      await clock.advance(10);
      await turns();
    }
    await ended;
    expect(bytes()).toBe(10 * 64 * KIB);
  });

  it('waits while its log is full', async () => {
    let isFull = true;
    let goOn = (): void => undefined;
    const log: AttemptLog = {
      ...NO_LOG,
      get isFull() {
        return isFull;
      },
      room: () => new Promise((resolve) => (goOn = resolve)),
    };
    const { stream, reading, ended, bytes } = read(log, new ReadBudget(new FakeClock(0), 2 ** 30));
    stream.write('first');
    await turns();
    stream.write('second');
    stream.end();
    await turns();
    expect(bytes()).toBe(5);
    expect(reading.takeHeldBack()).toBe(true);
    expect(reading.takeHeldBack()).toBe(true);
    isFull = false;
    goOn();
    await ended;
    expect(bytes()).toBe(11);
    reading.takeHeldBack();
    expect(reading.takeHeldBack()).toBe(false);
  });

  it('that nobody holds back is not said to be', async () => {
    const { stream, reading, ended } = read(NO_LOG, new ReadBudget(new FakeClock(0), 2 ** 30));
    stream.end('x');
    await ended;
    expect(reading.takeHeldBack()).toBe(false);
  });
});
