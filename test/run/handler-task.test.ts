import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/telemetry/logger.js';
import { makePrepareHandler, type HandlerFunction } from '../../src/run/handler-task.js';
import type { RunRequest, RunResult } from '../../src/run/running-task.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const clock = new FakeClock();

function start(handle: HandlerFunction, request: Partial<RunRequest> = {}) {
  const said: string[] = [];
  const log = silentLogger();
  log.error = (message: string) => void said.push(message);
  const ignored: unknown[] = [];
  const prepare = makePrepareHandler(new Map([['h', { schema: null, handle }]]), {
    onIgnored: (_, why) => ignored.push(why.kind === 'killed' ? why.reason : why.kind),
  });
  const task = { kind: 'handler', handler: 'h', payload: null } as const;
  const identity = {
    job: 'j',
    dueIso: '2026-01-01T00:00:00.000Z',
    attempt: 1,
    runId: 'j/x',
    fencingToken: '7',
  };
  const full: RunRequest = {
    ...{ task, identity, secrets: {}, timezone: 'UTC', previousDueMs: () => null, timeoutMs: null },
    killGraceMs: 1_000,
    ...request,
  };
  const running = prepare(task, full, { clock, log })!.start();
  let result: RunResult | null = null;
  void running.result.then((end) => (result = end));
  return { running, said, ignored, result: () => result };
}

describe('a handler that goes on although it should end', () => {
  test.each([
    [
      'trust-lost',
      0,
      /goes on although the lease is not trusted any more: the firing may be run again elsewhere/,
    ],
    ['shutdown', 1_000, /goes on although the worker is being stopped/],
    ['kill-request', undefined, /goes on although it was killed and the grace is over; its claim is held/],
  ])('is spoken of loudly (%s), and its run is over when it is', async (reason, graceMs, message) => {
    let release!: () => void;
    const one = start(() => new Promise<void>((resolve) => (release = resolve)));
    await clock.advance(10);
    one.running.kill(reason, graceMs);
    await clock.advance(3_600_000);
    expect(one.said).toEqual([expect.stringMatching(message)]);
    expect(one.ignored).toEqual([reason]);
    expect(one.result()).toBeNull();
    release();
    await clock.settle();
    expect(one.result()).toMatchObject({ ending: { kind: 'killed', reason }, durationMs: 3_600_010 });
  });

  test('and one that listens is not', async () => {
    const one = start((run) => run.sleep('1h'), { timeoutMs: 5_000 });
    await clock.advance(10_000);
    expect(one.result()).toMatchObject({ ending: { kind: 'timed-out' }, durationMs: 5_000 });
    expect([one.said, one.ignored]).toEqual([[], []]);
  });
});

test('a worker that does not have the handler prepares nothing', () => {
  expect(
    makePrepareHandler(new Map())({ kind: 'handler', handler: 'h', payload: null }, {} as RunRequest, {
      clock,
      log: silentLogger(),
    }),
  ).toBeNull();
});

test.each([['ten seconds'], [Number.NaN]])('run.sleep refuses %s', async (duration) => {
  const one = start((run) => run.sleep(duration));
  await clock.advance(10);
  expect(one.result()?.ending).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('write a duration') as string,
  });
});
