/** The API of real workers: any of them answers the same, and neither a dead worker nor a dead thread takes it away. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
  const listen = { ETCRON_LISTEN: '127.0.0.1:0' };
  cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', '5s'], env: listen });
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
