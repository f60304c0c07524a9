/** Output on the disks of real workers: followed from another node, after a worker was killed, and when it is gone. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { systemClock } from '../../src/clock.js';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { Cluster, type Worker } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

/** `etcron logs`, straight on etcd. */
function logs(cluster: Cluster, ...args: string[]) {
  let [text, stderr] = ['', ''];
  const code = runCli(['logs', ...args], {
    stdin: { [Symbol.asyncIterator]: () => [][Symbol.iterator]() as never },
    stdout: { write: (chunk) => (text += String(chunk)) },
    stderr: { write: (chunk) => (stderr += String(chunk)) },
    ...{ env: {}, clock: systemClock },
    connect: () =>
      Promise.resolve({ store: new EtcdStore({ endpoints: [etcd.endpoint] }), keys: cluster.keys }),
  });
  return { code, text: () => text, stderr: () => stderr };
}

/** A schedule that is due once, in some seconds. */
function soon(): string {
  const dueAt = new Date(Date.now() + 3_000);
  return `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
}

/** Once the worker listens. */
async function apiOf(cluster: Cluster, worker: string): Promise<string> {
  return waitUntil(
    async () => [...(await cluster.liveWorkers()).values()].find(({ name }) => name === worker)?.api,
    { what: `the API of ${worker}` },
  );
}

async function runOf(cluster: Cluster, job: string): Promise<{ runId: string; worker: string }> {
  return waitUntil(
    async () => {
      for (const [runId, { node, attempt }] of await cluster.firings(job))
        if (node !== null && attempt > 0) return { runId, worker: node.replace(/-[^-]*$/, '') };
      return null;
    },
    { what: `${job} to be claimed` },
  );
}

it('is followed live through another node, and served by the next worker of that name when its own was killed', async () => {
  const cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--listen', '127.0.0.1:0'] });
  try {
    const workers = await cluster.start('w-1', 'w-2');
    for (const { name } of workers) await apiOf(cluster, name);
    const command =
      'for i in 1 2 3; do echo "line $i of $ETCRON_ATTEMPT"; echo "oh $i" >&2; sleep 0.2; done; [ $ETCRON_ATTEMPT = 2 ] && exit 0; sleep 600';
    await cluster.putJob('talk', { schedule: soon(), command });
    const { runId, worker } = await runOf(cluster, 'talk');
    const owner = workers.find(({ name }) => name === worker) as Worker;
    const other = workers.find(({ name }) => name !== worker) as Worker;
    const asked = await apiOf(cluster, other.name);
    const url = `${asked}/api/v1/runs/${runId.replaceAll(':', '%3A')}/output/follow?stream=stdout`;
    const response = await fetch(url);
    let events = '';
    const reading = (async () => {
      for await (const chunk of response.body ?? []) events += Buffer.from(chunk as Uint8Array).toString();
    })();
    const live = logs(cluster, '-f', runId);
    await waitUntil(() => events.includes('line 3 of 1') && live.text().includes('oh 3'), {
      what: 'both to follow',
    });
    expect(live.text()).toBe('line 1 of 1\noh 1\nline 2 of 1\noh 2\nline 3 of 1\noh 3\n');

    owner.child.kill('SIGKILL');
    await owner.exited;
    const record = await cluster.recordOf('talk');
    expect(record).toMatchObject({ outcome: 'succeeded', attempts: 2, worker: other.name });
    // Whoever had the output is gone in the middle of it, and that is said.
    await reading;
    expect(events).toContain('event: problem');
    expect(await live.code).toBe(1);
    expect(live.stderr()).toContain(`the worker ${worker} went away while its output was read`);

    const gone = logs(cluster, '--attempt', '1', runId);
    expect(await gone.code).toBe(1);
    expect(gone.stderr()).toContain('no worker that answers has the output of attempt 1');
    await cluster.start(worker);
    await apiOf(cluster, worker);
    const first = logs(cluster, '--attempt', '1', '--stream', 'stdout', runId);
    expect(await first.code).toBe(0);
    expect(first.text()).toBe('line 1 of 1\nline 2 of 1\nline 3 of 1\n');
    const second = logs(cluster, '--stream', 'stderr', runId);
    expect(await second.code).toBe(0);
    expect(second.text()).toBe('oh 1\noh 2\noh 3\n');

    other.child.kill('SIGKILL');
    await other.exited;
    await waitUntil(
      async () => ![...(await cluster.liveWorkers()).values()].some(({ name }) => name === other.name),
      {
        what: 'the other worker to be gone',
      },
    );
    const kept = logs(cluster, runId);
    expect(await kept.code).toBe(0);
    expect(kept.text()).toContain('line 3 of 2');
    expect(kept.stderr()).toContain(`the worker ${other.name}, which had the output of ${runId}, is gone`);
    expect(cluster.violations()).toEqual([]);
  } finally {
    await cluster.stop();
  }
});
