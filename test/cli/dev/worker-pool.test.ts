import { expect, test } from 'vitest';
import { WorkerPool } from '../../../src/cli/dev/worker-pool.js';
import type { WorkerExit, WorkerProcess } from '../../../src/cli/dev/worker-process.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

/** A process that only does what the test says. */
class FakeWorker implements WorkerProcess {
  readonly signals: string[] = [];
  readonly exited: Promise<WorkerExit>;
  end!: (exit: WorkerExit) => void;

  constructor(
    readonly name: string,
    readonly pid: number,
    private readonly endsOn: (signals: readonly string[]) => boolean,
  ) {
    this.exited = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (this.endsOn(this.signals)) this.end({ code: 0, signal: null });
  }
}

const politely = (signals: readonly string[]): boolean => signals.length === 1;
const onSecondSignal = (signals: readonly string[]): boolean => signals.length === 2;
const onKill = (signals: readonly string[]): boolean => signals.includes('SIGKILL');

function setup(
  options: { replaceAfterMs?: number | null; endsOn?: (signals: readonly string[]) => boolean } = {},
) {
  const clock = new FakeClock();
  const started: FakeWorker[] = [];
  const told: string[] = [];
  const state = { refuse: false };
  const pool = new WorkerPool({
    names: ['w-1', 'w-2'],
    replaceAfterMs: options.replaceAfterMs === undefined ? 5_000 : options.replaceAfterMs,
    clock,
    startWorker: async (name) => {
      if (state.refuse) throw new Error('no more processes');
      const worker = new FakeWorker(name, 100 + started.length, options.endsOn ?? politely);
      started.push(worker);
      return worker;
    },
    onDied: ({ name, pid }, { signal }) => told.push(`died ${name} ${pid} ${signal}`),
    onReplaced: ({ name, pid }) => told.push(`replaced ${name} ${pid}`),
    onProblem: (name, message) => told.push(`problem ${name} ${message}`),
  });
  return { clock, started, told, state, pool };
}

test('a killed worker is replaced under its name after the pause, and not before', async () => {
  const { clock, started, told, pool } = setup();
  await pool.start();
  started[0]!.end({ code: null, signal: 'SIGKILL' });
  await clock.advance(4_999);
  expect(told).toEqual(['died w-1 100 SIGKILL']);
  expect(pool.workers.map(({ name }) => name)).toEqual(['w-2']);
  await clock.advance(1);
  expect(told).toEqual(['died w-1 100 SIGKILL', 'replaced w-1 102']);
  await pool.stop();
  expect(clock.pendingTimers).toBe(0);
});

test('a replacement that the system refuses is tried again', async () => {
  const { clock, started, told, state, pool } = setup({ replaceAfterMs: 0 });
  await pool.start();
  state.refuse = true;
  started[1]!.end({ code: 1, signal: null });
  await clock.advance(1_500);
  expect(told).toEqual([
    'died w-2 101 null',
    'problem w-2 no more processes',
    'problem w-2 no more processes',
  ]);
  state.refuse = false;
  await clock.advance(1_000);
  expect(told.at(-1)).toBe('replaced w-2 102');
  await pool.stop();
});

test('without replacement the dead stay dead', async () => {
  const { clock, started, pool } = setup({ replaceAfterMs: null });
  await pool.start();
  started[0]!.end({ code: null, signal: 'SIGKILL' });
  await clock.advance(60_000);
  expect(started).toHaveLength(2);
  await pool.stop();
});

test('a stop drains all with one signal, tells of no death, and calls off a replacement', async () => {
  const { clock, started, told, pool } = setup();
  await pool.start();
  started[0]!.end({ code: null, signal: 'SIGKILL' });
  await clock.advance(100);
  await pool.stop();
  await clock.advance(60_000);
  expect(started[1]!.signals).toEqual(['SIGTERM']);
  expect(told).toEqual(['died w-1 100 SIGKILL']);
  expect(started).toHaveLength(2);
});

test('a stop at once during a drain sends the second signal, which ends commands, and resolves both', async () => {
  const { started, pool } = setup({ endsOn: onSecondSignal });
  await pool.start();
  const stopped = pool.stop();
  await pool.endNow();
  await stopped;
  expect(started.map(({ signals }) => signals)).toEqual([
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGTERM'],
  ]);
});

test('a worker that listens to nothing is killed, at the end of a drain too', async () => {
  for (const how of ['endNow', 'stop'] as const) {
    const { clock, started, pool } = setup({ endsOn: onKill });
    await pool.start();
    const done = pool[how]();
    await clock.advance(120_000);
    await done;
    expect(started[0]!.signals.at(-1)).toBe('SIGKILL');
    expect(started[0]!.signals.filter((signal) => signal === 'SIGTERM').length).toBeGreaterThanOrEqual(2);
    expect(clock.pendingTimers).toBe(0);
  }
});

test('a start that fails leaves none behind', async () => {
  const { started, pool, state } = setup();
  const starting = pool.start();
  state.refuse = true;
  await expect(starting).rejects.toThrow('no more processes');
  expect(started.map(({ signals }) => signals)).toEqual([['SIGTERM']]);
});
