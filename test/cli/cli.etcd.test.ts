/** The built program as a child process on a real etcd: exit codes, messages, signals. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/clock.js';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { etcdctl, startEtcd, type RunningEtcd } from '../support/etcd.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(ROOT, 'dist/cli/main.js');
/** Generous: the machine may be busy. */
const DEADLINE_MS = 50_000;

let etcd: RunningEtcd;
let folder: string;
const workers: { kill(signal: 'SIGKILL'): boolean }[] = [];

beforeAll(async () => {
  // The program as the sources are now; immediate when nothing changed.
  await execa(process.execPath, [join(ROOT, 'scripts/setup.mjs')]);
  etcd = await startEtcd();
  folder = await mkdtemp(join(tmpdir(), 'etcron-cli-'));
});

afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await etcd?.stop();
  if (folder) await rm(folder, { recursive: true });
});

interface Options {
  prefix?: string;
  env?: Record<string, string>;
  endpoints?: string;
}

function environment({ prefix = '/cron', env = {}, endpoints = etcd.endpoints.join(',') }: Options) {
  return {
    cwd: folder,
    extendEnv: false as const,
    env: {
      PATH: process.env.PATH!,
      HOME: folder,
      ETCRON_ENDPOINTS: endpoints,
      ETCRON_PREFIX: prefix,
      ...env,
    },
    reject: false as const,
    // Signals are what some of these tests are about.
    forceKillAfterDelay: false as const,
    timeout: DEADLINE_MS,
  };
}

async function etcron(args: string[], options: Options = {}) {
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [PROGRAM, ...args],
    environment(options),
  );
  return { exitCode, stdout, stderr };
}

/** Ended with the tests at the latest, if a test fails. */
function startWorker(args: string[], options: Options) {
  const worker = execa(process.execPath, [PROGRAM, ...args], {
    ...environment(options),
    timeout: 3 * DEADLINE_MS,
  });
  workers.push(worker);
  return worker;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('exit codes and messages', () => {
  test('an etcd that does not answer: 3, one clear error, for workers too', async () => {
    const [port] = await freePorts(1);
    const endpoints = `127.0.0.1:${port}`;
    for (const args of [['jobs', 'list'], ['worker']]) {
      const { exitCode, stdout, stderr } = await etcron(args, { endpoints });
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(
          `^error: no etcd endpoint answers .*${endpoints}: connection refused \\[ETCRON_ETCD_UNREACHABLE\\]\nhint: [^\n]*$`,
        ),
      );
    }
    const { exitCode, stderr } = await etcron(['status', '--json'], { endpoints });
    expect(exitCode).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ETCRON_ETCD_UNREACHABLE' } });
  });

  test('a port that swallows everything: 3, in time', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const args = ['jobs', 'list', '--dial-timeout', '500ms'];
    const { exitCode, stderr } = await etcron(args, { endpoints: `127.0.0.1:${port}` });
    server.close();
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^error: .*\[ETCRON_ETCD_(TIMEOUT|UNREACHABLE)\]/);
  });

  test('usage: 2', async () => {
    expect((await etcron(['lst'])).exitCode).toBe(2);
    expect((await etcron(['jobs', 'list', '--nope'])).exitCode).toBe(2);
    expect((await etcron([])).exitCode).toBe(2);
    const wrong = await etcron(['worker', '--horizon', '5s']);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain('[ETCRON_CONFIG_INVALID]');
    expect((await etcron(['jobs', 'list', '--prefix', 'cron'])).stderr).toContain('[ETCRON_CONFIG_INVALID]');
  });

  test('a broken job file: 2, with line and column', async () => {
    await file('broken.yaml', 'jobs:\n  a:\n    schedule: "@daily"\n    comand: x\n');
    for (const command of ['validate', 'apply']) {
      const { exitCode, stderr } = await etcron([command, '-f', 'broken.yaml']);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('broken.yaml:4:5 jobs.a.comand: ');
      expect(stderr).not.toContain('    at ');
    }
  });

  test('help and version need no etcd client', async () => {
    const { exitCode, stdout } = await etcron(['--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Exit codes:');
    const script = `
      import { createRequire } from 'node:module';
      import { runCli } from ${JSON.stringify(join(ROOT, 'dist/cli/program.js'))};
      import { processEnvironment } from ${JSON.stringify(join(ROOT, 'dist/cli/environment.js'))};
      await runCli(['jobs', 'list', '--help'], processEnvironment());
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.error(JSON.stringify(loaded.filter((path) => /node_modules.(etcd3|@grpc|pino|cli-table3)\\b/.test(path))));
    `;
    await file('loaded.mjs', script);
    const { stderr } = await execa(process.execPath, ['loaded.mjs'], { cwd: folder });
    expect(JSON.parse(stderr)).toEqual([]);
  });

  test('a reader that has seen enough is no error', async () => {
    const command = `"${process.execPath}" "${PROGRAM}" next "* * * * * *" -n 10000 --json | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await execa('bash', ['-c', command], environment({}));
    expect({ stdout, stderr }).toEqual({ stdout: '{\n0', stderr: '' });
  });
});

describe('jobs', () => {
  const options = { prefix: '/jobs-test' };

  test('apply, dry run, prune, pause and resume, and what etcdctl writes', async () => {
    await file(
      'jobs.yaml',
      'jobs:\n  a: { schedule: "@daily", command: "true" }\n  b: { schedule: "@hourly", command: "true" }\n',
    );
    const dry = await etcron(['apply', '-f', 'jobs.yaml', '--dry-run'], options);
    expect(dry).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('2 to create') as string });
    expect((await etcron(['jobs', 'list', '--json'], options)).stdout).toContain('"jobs": []');
    expect((await etcron(['apply', '-f', 'jobs.yaml'], options)).exitCode).toBe(0);

    const ctl = { endpoints: etcd.endpoints };
    await etcdctl(['put', '/jobs-test/jobs/broken', 'schedule: "* * *"\ncomand: x'], ctl);
    const listed = await etcron(['jobs', 'list'], options);
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout).toMatch(/^broken +broken$/m);
    expect(listed.stdout).toContain('broken:2:1 comand: ');
    const got = await etcron(['jobs', 'get', 'broken', '--json'], options);
    expect(JSON.parse(got.stdout)).toMatchObject({ state: 'broken', definition: null });

    expect((await etcron(['jobs', 'pause', 'a'], options)).exitCode).toBe(0);
    expect(JSON.parse(await etcdctl(['get', '/jobs-test/jobs/a', '--print-value-only'], ctl))).toMatchObject({
      paused: true,
    });
    expect((await etcron(['jobs', 'resume', 'a'], options)).exitCode).toBe(0);
    expect(await etcdctl(['get', '/jobs-test/jobs/a', '--print-value-only'], ctl)).not.toContain('paused');
    expect((await etcron(['jobs', 'get', 'aa'], options)).stderr).toContain('Did you mean "a"?');

    await file('more.yaml', 'jobs: { extra: { schedule: "@daily", command: "true" } }\n');
    expect((await etcron(['apply', '-f', 'more.yaml'], options)).exitCode).toBe(0);
    const refused = await etcron(['apply', '-f', 'jobs.yaml', '--prune'], options);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('--yes');
    const pruned = await etcron(['apply', '-f', 'jobs.yaml', '--prune', '--yes'], options);
    expect(pruned).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('- extra') as string });
    const { stdout } = await etcron(['jobs', 'list', '--json'], options);
    const { jobs } = JSON.parse(stdout) as { jobs: { name: string }[] };
    // Put there by etcdctl, and so no set's to delete.
    expect(jobs.map(({ name }) => name)).toEqual(['a', 'b', 'broken']);

    const exported = await etcron(['export'], options);
    expect(exported.exitCode).toBe(2);
    await file('exported.yaml', exported.stdout);
    const again = await etcron(['apply', '-f', 'exported.yaml'], options);
    expect(again).toMatchObject({ exitCode: 0, stdout: '0 to create, 0 to update, 2 unchanged' });
  });

  test('of two who apply different files at once, nobody overwrites what he has not seen', async () => {
    const prefix = '/race-test';
    const names = Array.from({ length: 5 }, (_, index) => `j${index}`);
    for (const command of ['one', 'two']) {
      const jobs = names.map((name) => `  ${name}: { schedule: "@daily", command: "${command}" }`).join('\n');
      await file(`${command}.yaml`, `jobs:\n${jobs}\n`);
    }
    const results = await Promise.all(
      ['one', 'two'].map((name) => etcron(['apply', '-f', `${name}.yaml`], { prefix })),
    );
    // Either one came after the other, and saw its jobs, or it was refused.
    for (const { exitCode, stderr } of results) {
      if (exitCode !== 0) expect(stderr).toContain('[ETCRON_CONFLICT]');
    }
    expect(results.some(({ exitCode }) => exitCode === 0)).toBe(true);
    const args = ['get', '--prefix', `${prefix}/jobs/`, '--print-value-only'];
    const values = (await etcdctl(args, { endpoints: etcd.endpoints })).trim().split('\n').filter(Boolean);
    expect(values).toHaveLength(names.length);
    expect(new Set(values).size).toBe(1);
  });
});

describe('a worker', { timeout: 3 * DEADLINE_MS }, () => {
  test('runs what is asked for, is seen in status, and stops in order', async () => {
    const options = { prefix: '/worker-test' };
    await file(
      'work.yaml',
      `jobs:
  good: { schedule: "@yearly", command: "echo out; echo err >&2; env | grep -c ETCRON_PASSWORD" , retries: { attempts: 1 } }
  fine: { schedule: "@yearly", command: [echo, fine] }
  long: { schedule: "@yearly", command: [sleep, "600"] }
`,
    );
    expect((await etcron(['apply', '-f', 'work.yaml'], options)).exitCode).toBe(0);
    expect((await etcron(['status'], options)).exitCode).toBe(1);
    const args = ['worker', '--name', 'w1', '--lease-ttl', '3s', '--label', 'zone=eu', '--drain-grace', '0s'];
    const worker = startWorker(args, options);
    await waitForLine(worker.stdout, 'elected leader');

    const fine = await etcron(['run', 'fine', '--wait', '--timeout', '30s'], options);
    expect(fine).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/stdout\nfine/) as string });
    const failed = await etcron(['run', 'good', '--wait', '--timeout', '30s', '--json'], options);
    expect(failed.exitCode).toBe(1);
    // grep found nothing to count, and says so with 1.
    expect(JSON.parse(failed.stdout)).toMatchObject({
      outcome: 'failed',
      exitCode: 1,
      stdout: { text: 'out\n0\n' },
    });
    expect(JSON.parse(failed.stderr)).toMatchObject({ error: { code: 'ETCRON_RUN_FAILED' } });
    const status = await etcron(['status', '--json'], options);
    expect(status.exitCode).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      healthy: true,
      leader: { name: 'w1' },
      jobs: { ok: 3 },
    });
    const workers = JSON.parse((await etcron(['workers', '--json'], options)).stdout) as {
      workers: unknown[];
    };
    expect(workers.workers).toMatchObject([
      { name: 'w1', labels: { zone: 'eu' }, leader: true, pid: worker.pid },
    ]);

    const { stdout: runId } = await etcron(['run', 'long'], options);
    const timedOut = await etcron(['run', 'long', '--wait', '--timeout', '1s'], options);
    expect(timedOut.exitCode).toBe(1);
    const killed = await etcron(['runs', 'kill', runId, '--timeout', '30s', '--json'], options);
    expect(JSON.parse(killed.stdout)).toMatchObject({ run: runId, outcome: 'killed' });
    expect((await etcron(['runs', 'list', '--job', 'long', '--json'], options)).stdout).toContain('"killed"');

    worker.kill('SIGTERM');
    expect(await worker).toMatchObject({ exitCode: 0, timedOut: false });
    expect((await etcron(['workers', '--json'], options)).stdout).toContain('"workers": []');
  });

  test('a second signal kills its commands and ends at once, with 143', async () => {
    const options = { prefix: '/signal-test' };
    const pidFile = join(folder, 'pid');
    await file(
      'long.yaml',
      `jobs:\n  long: { schedule: "@yearly", command: "echo $$ > ${pidFile}; exec sleep 600" }\n`,
    );
    await etcron(['apply', '-f', 'long.yaml'], options);
    const worker = startWorker(['worker', '--drain-grace', '10m'], options);
    const started = waitForLine(worker.stdout, '"started"');
    const { stdout: runId } = await etcron(['run', 'long'], options);
    await started;
    expect((await etcron(['runs', 'get', runId], options)).stdout).toMatch(/^state +running on/m);
    const draining = waitForLine(worker.stdout, 'draining');
    worker.kill('SIGTERM');
    await draining;
    // Signals that come together count as one, so it takes a later one.
    const again = setInterval(() => worker.kill('SIGTERM'), 100);
    const result = await worker;
    clearInterval(again);
    expect(result).toMatchObject({ exitCode: 143, timedOut: false });
    const pid = Number(await readFile(pidFile, 'utf8'));
    const deadlineAt = systemClock.monotonicMs() + DEADLINE_MS;
    while (isAlive(pid) && systemClock.monotonicMs() < deadlineAt) await sleep(systemClock, 50);
    expect(isAlive(pid)).toBe(false);
  });
});

/** Resolves when a line that contains `text` appears. */
function waitForLine(stream: NodeJS.ReadableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes(text)) resolve();
    });
    stream.on('close', () =>
      reject(new Error(`the process ended without ${JSON.stringify(text)}:\n${seen}`)),
    );
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
