/** The worker's end of its API: what becomes of the thread, and that nothing of it reaches the worker. */
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { ApiThread, type ApiThreadOptions } from '../../../src/api/thread/api-thread.js';
import type { FromThread } from '../../../src/api/thread/messages.js';
import { WorkerLine } from '../../../src/api/thread/worker-line.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { waitUntil } from '../../support/wait.js';

/** The main module of a thread that behaves as `code` says. */
function threads(...codes: string[]) {
  const clock = new FakeClock();
  const addresses: (string | null)[] = [];
  const begun: Worker[] = [];
  let replaced = 0;
  const options: ApiThreadOptions = {
    ...{ clock, log: silentLogger(), random: () => 0 },
    spawn: () => {
      const code = codes[Math.min(begun.length, codes.length - 1)]!;
      const head =
        "const { parentPort } = require('node:worker_threads'); const tell = (m) => parentPort.postMessage(m);";
      const worker = new Worker(`${head}\n${code}`, { eval: true });
      begun.push(worker);
      return worker;
    },
    answers: {
      metrics: () => Promise.resolve('etcron_up 1\n'),
      state: () => Promise.resolve({ nodeId: 'w1-abc', ready: true, reasons: [] }),
    },
    onAddress: (url) => addresses.push(url),
    onReplaced: () => (replaced += 1),
  };
  return { api: new ApiThread(options), clock, addresses, begun, replaced: () => replaced };
}

const LISTENS =
  "tell({ kind: 'listening', url: 'http://x:1' }); parentPort.on('message', (m) => { if (m.kind === 'stop') process.exit(0); });";

describe('the thread of the API', () => {
  test('is told to stop, and ends', async () => {
    const { api, addresses } = threads(LISTENS);
    await api.start();
    expect(addresses).toEqual(['http://x:1']);
    await api.stop();
    expect(addresses).toEqual(['http://x:1', null]);
  });

  test('one that dies of a defect, or of its memory, is begun again', async () => {
    const { api, clock, addresses, begun } = threads(
      "tell({ kind: 'listening', url: 'http://x:1' }); setImmediate(() => { throw new Error('a defect') });",
      LISTENS,
    );
    await api.start();
    await waitUntil(() => addresses.length === 2, { what: 'the first to die' });
    await waitUntil(
      async () => {
        await clock.advance(1_000);
        return addresses.length === 3;
      },
      { what: 'another one to listen' },
    );
    expect([begun.length, addresses.at(-1)]).toEqual([2, 'http://x:1']);
    await api.stop();
  });

  test('one that hangs is ended, and begun again; one that answers is not', async () => {
    const { api, clock, addresses, begun, replaced } = threads(
      "tell({ kind: 'listening', url: 'http://x:1' }); setImmediate(() => { for (;;); });",
      `${LISTENS} parentPort.on('message', (m) => { if (m.kind === 'ping') tell({ kind: 'pong' }); });`,
    );
    await api.start();
    await clock.advance(9_000);
    expect(addresses).toEqual(['http://x:1']);
    // It is said before the thread is gone: it may take its time.
    await clock.advance(1_000);
    expect(addresses).toEqual(['http://x:1', null]);
    await waitUntil(
      async () => {
        await clock.advance(500);
        return begun.length === 2 && addresses.at(-1) === 'http://x:1';
      },
      { what: 'another one to listen' },
    );
    expect(replaced()).toBe(1);
    for (let second = 0; second < 60; second += 2) {
      const answered = new Promise((resolve) => begun[1]!.once('message', resolve));
      await clock.advance(2_000);
      await answered;
    }
    expect(begun.length).toBe(2);
    await api.stop();
  });

  test('one that dies again and again is begun less and less often', async () => {
    const { api, clock, begun } = threads(
      "tell({ kind: 'listening', url: 'http://x:1' }); setImmediate(() => { throw new Error('a defect') });",
    );
    await api.start();
    const pausesMs: number[] = [];
    for (let life = 1; life <= 5; life += 1) {
      await new Promise((resolve) => begun[life - 1]!.once('exit', resolve));
      let pauseMs = 0;
      for (; begun.length === life; pauseMs += 250) await clock.advance(250);
      pausesMs.push(pauseMs);
    }
    expect(pausesMs).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
    await api.stop();
  });

  test('settings that worked once are tried again, whatever stands in their way now', async () => {
    const { api, clock, addresses, begun } = threads(
      "tell({ kind: 'listening', url: 'http://x:1' }); setImmediate(() => { throw new Error('a defect') });",
      "tell({ kind: 'failed', code: 'ETCRON_LISTEN_FAILED', message: 'taken', hint: 'x', isFinal: true });",
      LISTENS,
    );
    await api.start();
    await waitUntil(
      async () => {
        await clock.advance(500);
        return begun.length === 3 && addresses.at(-1) === 'http://x:1';
      },
      { what: 'the third one to listen' },
    );
    await api.stop();
  });

  test('settings that cannot work are said once, and nothing is tried again', async () => {
    const { api, clock, begun } = threads(
      "tell({ kind: 'failed', code: 'ETCRON_LISTEN_FAILED', message: 'taken', hint: 'another', isFinal: true });",
    );
    await expect(api.start()).rejects.toMatchObject({ code: 'ETCRON_LISTEN_FAILED', hint: 'another' });
    await clock.advance(600_000);
    expect(begun.length).toBe(1);
    await api.stop();
  });

  test('what only the worker knows is asked of it, at most once a second', async () => {
    const clock = new FakeClock();
    const asked: FromThread[] = [];
    const line = new WorkerLine({ postMessage: (message: FromThread) => asked.push(message) }, clock);
    const answers = [line.readiness(), line.readiness()];
    expect(asked).toEqual([{ kind: 'ask', id: 0, question: 'state' }]);
    line.heard({ kind: 'answer', id: 0, answer: { nodeId: 'w1-abc', ready: true, reasons: [] } });
    expect(await Promise.all(answers)).toEqual([
      { ready: true, reasons: [] },
      { ready: true, reasons: [] },
    ]);
    expect(line.nodeId).toBe('w1-abc');
    await clock.advance(1_000);
    const late = line.metrics();
    await Promise.all([
      expect(late).rejects.toMatchObject({ code: 'ETCRON_WAIT_TIMEOUT' }),
      clock.advance(5_000),
    ]);
  });
});
