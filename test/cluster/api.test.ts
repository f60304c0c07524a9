/** The API of real workers: any of them answers the same, and neither a dead worker nor a dead thread takes it away. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

/**
 * Loaded by Node into each thread of a worker before its own code: in the thread of the API it does what a file tells it, as a
 * defect would.
 */
const SABOTAGE = `
const { isMainThread } = require('node:worker_threads');
const { existsSync, readFileSync, unlinkSync } = require('node:fs');
const order = __dirname + '/sabotage-' + process.pid;
if (!isMainThread) setInterval(() => {
  if (!existsSync(order)) return;
  const what = readFileSync(order, 'utf8');
  unlinkSync(order);
  if (what === 'hang') for (;;);
  throw new Error('sabotage');
}, 100).unref();
`;

beforeAll(async () => {
  etcd = await startEtcd();
  const env: Record<string, string> = { ETCRON_LISTEN: '127.0.0.1:0' };
  cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', '5s'], env });
  const sabotage = join(cluster.folder, 'sabotage.cjs');
  writeFileSync(sabotage, SABOTAGE);
  env.NODE_OPTIONS = `--require=${sabotage}`;
  await cluster.start('w-1', 'w-2');
  await cluster.putJob('tick', { schedule: '* * * * * *', command: 'true' });
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

/** Where the API of each worker is, once all of them have said so. */
function addresses(...names: string[]): Promise<string[]> {
  return waitUntil(
    async () => {
      const live = [...(await cluster.liveWorkers()).values()];
      const found = names.flatMap((name) => live.find((worker) => worker.name === name)?.api ?? []);
      return found.length === names.length ? found : null;
    },
    { what: `the API of ${names.join(', ')}`, timeoutMs: 60_000 },
  );
}

async function ask<T>(base: string, path: string): Promise<T> {
  const response = await fetch(base + path);
  return (await response.json()) as T;
}

interface RunList {
  readonly runs: { readonly run: string; readonly outcome: string }[];
}

describe('the API of workers', () => {
  it('answers the same on each of them, and follows what happens', async () => {
    const [first, second] = await addresses('w-1', 'w-2');
    const stream = await fetch(`${first}/api/v1/events`);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    while (!heard.includes('event: runs')) heard += (await reader.read()).value ?? '';
    await reader.cancel();
    const { runs } = await ask<RunList>(first!, '/api/v1/runs?limit=5');
    await waitUntil(
      async () => {
        const there = await ask<RunList>(second!, '/api/v1/runs?limit=50');
        return runs.every(({ run }) => there.runs.some((one) => one.run === run));
      },
      { what: 'the other worker to know them, too' },
    );
    expect((await fetch(`${second}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${second}/metrics`)).text();
    expect(metrics).toContain('etcron_build_info');
    const page = await fetch(`${first}/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
  });

  it.each([
    ['dies', 'throw', 'sabotage'],
    ['hangs', 'hang', 'it did not answer'],
  ])('a thread that %s is replaced, and the worker goes on', async (_, order, reason) => {
    const [, before] = await addresses('w-1', 'w-2');
    const worker = cluster.workers[1]!;
    const restarts = async (base: string): Promise<number> => {
      const metrics = await (await fetch(`${base}/metrics`)).text();
      return Number(/^etcron_sidecar_restarts_total\{process="api"\} (\d+)$/m.exec(metrics)![1]);
    };
    const count = await restarts(before!);
    const fromMs = Date.now();
    writeFileSync(join(cluster.folder, `sabotage-${worker.pid}`), order);
    const after = await waitUntil(
      async () => {
        const [, now] = await addresses('w-1', 'w-2');
        return now !== before ? now : null;
      },
      { what: 'another thread', timeoutMs: 60_000 },
    );
    expect((await fetch(`${after}/readyz`)).status).toBe(200);
    expect(await restarts(after)).toBe(count + 1);
    expect(worker.log()).toMatch(new RegExp(`"reason":"${reason}.*the thread of the HTTP API ended`));
    const throughMs = Date.now();
    await cluster.ended('tick', throughMs);
    expect(await cluster.accounting('tick', '* * * * * *', fromMs, throughMs)).toEqual([]);
    // Under the same lease: nothing of it has reached the worker itself.
    expect(worker.log()).not.toMatch(/trust in the lease is lost|"level":60/);
  });

  it('a worker that is killed is missed by the others, and by no one who asks them', async () => {
    const [, second] = await addresses('w-1', 'w-2');
    const [killed] = cluster.workers;
    killed!.child.kill('SIGKILL');
    await waitUntil(
      async () => {
        const { workers } = await ask<{ workers: { name: string }[] }>(second!, '/api/v1/workers');
        return workers.length === 1 && workers[0]?.name === 'w-2';
      },
      { what: 'the dead worker to be gone', timeoutMs: 30_000 },
    );
    const { at } = await ask<{ at: string }>(second!, '/api/v1/cluster');
    await waitUntil(
      async () => (await ask<RunList>(second!, `/api/v1/runs?from=${at}&outcome=succeeded`)).runs.length >= 2,
      { what: 'the other worker to go on', timeoutMs: 30_000 },
    );
  });
});
