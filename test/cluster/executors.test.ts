/** What runs do, on real workers: a request that is repeated, templates, and a secret that nobody gets to see. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prefixRange } from '../../src/etcd/store.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { processRuns } from '../run/support.js';
import { waitUntil } from '../support/wait.js';
import { launcherOf } from '../support/worker-process.js';

const SECRET = 'correct-horse-battery-staple';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let etcd: RunningEtcd;
let cluster: Cluster;
let server: Server;
const received: Received[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint], env: { API_TOKEN: SECRET } });
  // Unavailable at first, and careless: it repeats what it was told.
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(received.length === 1 ? 503 : 200, { Server: 'test' });
      response.end(`you sent ${request.headers.authorization}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await cluster.start('w-1', 'w-2');
});

afterAll(async () => {
  await cluster.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await etcd.stop();
});

const inThreeSeconds = (): string => `@at ${new Date(Date.now() + 3_000).toISOString().slice(0, 19)}`;

it('sends a request again after a 503, and lets a command use what nobody else may see', async () => {
  const { port } = server.address() as AddressInfo;
  const secrets = { TOKEN: { env: 'API_TOKEN' } };
  await cluster.putJob('hook', {
    schedule: inThreeSeconds(),
    http: {
      url: `http://127.0.0.1:${port}/hook`,
      method: 'POST',
      headers: { Authorization: 'Bearer {{ secrets.TOKEN }}' },
      body: '{{ due | yyyy-MM-dd }} {{ attempt }}',
    },
    secrets,
    retries: { attempts: 3, delay: '100ms', jitter: '200ms' },
  });
  await cluster.putJob('command', {
    schedule: inThreeSeconds(),
    command: 'echo "{{ job }} {{ due | yyyyMMdd }} knows $TOKEN"; exit 7',
    secrets,
    successExitCodes: [7],
    nice: 5,
    umask: '027',
    stdin: 'nothing',
  });
  const [hook, command] = await Promise.all([cluster.recordOf('hook'), cluster.recordOf('command')]);

  const day = new Date(hook.startedAt!).toISOString().slice(0, 10);
  expect(hook).toMatchObject({ outcome: 'succeeded', attempts: 2, exitCode: null, reason: null });
  expect(hook.stdout?.text).toBe('you sent Bearer ***');
  expect(hook.stderr?.text).toMatch(/^HTTP\/1.1 200 OK\n/);
  expect(received.map(({ body }) => body)).toEqual([`${day} 1`, `${day} 2`]);
  const [first, second] = received.map(({ headers }) => headers);
  expect(first!.authorization).toBe(`Bearer ${SECRET}`);
  expect(first!['idempotency-key']).toMatch(/^hook\/.*Z$/);
  expect(second!['idempotency-key']).toBe(first!['idempotency-key']);
  expect(Number(second!['etcron-fencing-token'])).toBeGreaterThan(Number(first!['etcron-fencing-token']));

  expect(command).toMatchObject({ outcome: 'succeeded', exitCode: 7 });
  expect(command.stdout?.text).toBe(`command ${day.replaceAll('-', '')} knows ***\n`);

  const everything = await cluster.list(prefixRange(`${cluster.keys.prefix}/`));
  expect(everything.length).toBeGreaterThan(5);
  expect(everything.filter(({ key, value }) => `${key} ${value.toString()}`.includes(SECRET))).toEqual([]);
  expect(cluster.workers.filter((worker) => worker.log().includes(SECRET))).toEqual([]);
});

it('says why a request failed in the end', async () => {
  await cluster.putJob('nobody', { schedule: inThreeSeconds(), http: 'http://127.0.0.1:1/' });
  expect(await cluster.recordOf('nobody')).toMatchObject({
    outcome: 'failed',
    exitCode: null,
    reason: 'connection refused by "127.0.0.1:1": nothing listens there',
  });
});

if (process.getuid?.() === 0) {
  it('ends the command of another user when its worker dies, and starts it again elsewhere', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'etcron-executors-'));
    chmodSync(folder, 0o777);
    const file = join(folder, 'pids');
    const pids = (): number[] =>
      existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
    await cluster.putJob('held', {
      schedule: inThreeSeconds(),
      command: `echo $$ >> ${file}; test $ETCRON_ATTEMPT = 2 || exec sleep 1000`,
      ...{ user: 'nobody', cwd: folder, nice: 1 },
    });
    const first = await waitUntil(() => pids()[0], { what: 'the command to run' });
    const status = readFileSync(`/proc/${first}/status`, 'utf8');
    const worker = cluster.workers.find((one) => status.includes(`PPid:\t${launcherOf(one)}\n`));
    expect(status).not.toContain('Uid:\t0');
    worker!.child.kill('SIGKILL');
    expect(await cluster.recordOf('held')).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
    expect(processRuns(first)).toBe(false);
    rmSync(folder, { recursive: true });
  });
}
