/** `etcron dev` as a user runs it: real etcd, real workers, real signals. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { etcdctl, startEtcd } from '../support/etcd.js';

const PROGRAM = 'dist/cli/main.js';
const TICK = 'tick: { schedule: "* * * * * *", command: "echo tock" }';

let dir: string;
let running: Dev[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-dev-'));
  running = [];
});
afterEach(async () => {
  for (const dev of running) dev.child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

/** A running `etcron dev`, whose lines can be waited for in their order. */
class Dev {
  readonly child: ChildProcess;
  /** In the environment of dev, etcd, the workers and the guards, but not in that of commands. */
  readonly marker = `dev-test-${randomUUID()}`;
  readonly lines: string[] = [];
  readonly exited: Promise<[code: number | null, signal: string | null]>;
  #seen = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [PROGRAM, 'dev', '--workers', '2', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEV_TEST_MARKER: this.marker },
    });
    this.exited = once(this.child, 'close') as Promise<[number | null, string | null]>;
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    void this.exited.then(() => {
      this.#ended = true;
      this.#wake();
    });
    running.push(this);
  }

  /** The next line that matches, after the one found last. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (; this.#seen < this.lines.length; this.#seen += 1) {
        const match = pattern.exec(this.lines[this.#seen]!);
        if (match === null) continue;
        this.#seen += 1;
        return match;
      }
      if (this.#ended) throw new Error(`it ended before ${String(pattern)}:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Lines that come after the one found last, in whatever order. */
  async linesInAnyOrder(...patterns: RegExp[]): Promise<RegExpExecArray[]> {
    const from = this.#seen;
    const found: RegExpExecArray[] = [];
    let furthest = from;
    for (const pattern of patterns) {
      this.#seen = from;
      found.push(await this.line(pattern));
      furthest = Math.max(furthest, this.#seen);
    }
    this.#seen = furthest;
    return found;
  }

  get output(): string {
    return this.lines.join('\n');
  }

  /** The present process of a worker, as the lines say. */
  pidOf(name: string): number {
    const pids = this.lines.flatMap((line) => {
      const match =
        /kill -9 (\d+) {3}# (w-\d)/.exec(line) ?? /started a new (w-\d): kill -9 (\d+)/.exec(line);
      if (match === null) return [];
      const [first, second] = [match[1]!, match[2]!];
      return first === name ? [Number(second)] : second === name ? [Number(first)] : [];
    });
    return pids.at(-1)!;
  }
}

async function jobsFile(...jobs: string[]): Promise<string> {
  const path = join(dir, 'jobs.yaml');
  await writeFile(path, ['jobs:', ...jobs.map((job) => `  ${job}`), ''].join('\n'));
  return path;
}

/** Living processes with `text` in their command line or environment. */
async function processesWith(text: string): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (Number.isNaN(pid) || pid === process.pid) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const [command, environment] = [await read('cmdline'), await read('environ')];
    if (command.includes(text) || environment.includes(text)) found.push({ pid, command });
  }
  return found;
}

/** Ends with the timeout of the test when something stays. */
async function untilGone(text: string): Promise<void> {
  while ((await processesWith(text)).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('a killed worker is replaced, another one goes on with its run, and a stop leaves nothing', async () => {
  const file = await jobsFile(
    TICK,
    'fails: { schedule: "*/3 * * * * *", command: "echo no luck >&2; exit 2" }',
    'long: { schedule: "*/20 * * * * *", command: "sleep 6", overlap: skip }',
  );
  const dev = new Dev(['-f', file, '--replace-after', '1s']);
  await dev.line(/^Using etcd \d+\.\d+/);
  await dev.line(/^jobs +3 jobs \(3 created from .*jobs\.yaml\)/);
  const [, root] = await dev.line(/^logs +(.*)\/logs$/);
  await dev.line(/^workers +kill -9 \d+ {3}# w-1/);
  await dev.line(/★ w-\d leads now$/);
  await dev.line(/ tick +w-\d +\+\d+ms +\d+ms {2}✓ succeeded +tock$/);
  await dev.line(/ fails +w-\d .*✗ failed exit 2 +no luck$/);

  const [, victim] = await dev.line(/ long +(w-\d) .*▶ started$/);
  const pid = dev.pidOf(victim!);
  process.kill(pid, 'SIGKILL');
  // Its watchdog frees its runs at once, often before dev has seen the process end.
  const [, [, newPid] = []] = await dev.linesInAnyOrder(
    new RegExp(`☠ process ${pid} \\(${victim}\\) ended: killed by SIGKILL; a replacement starts in 1s`),
    new RegExp(`\\+ started a new ${victim}: kill -9 (\\d+)`),
    new RegExp(`\\+ ${victim} joined`),
    new RegExp(`↺ ${victim} died; w-\\d goes on with long, attempt 2`),
  );
  await dev.line(/ long +w-\d .*✓ succeeded #2$/);
  await dev.line(/ tick .*✓ succeeded/);

  // dev, etcd, two workers, and their guards.
  expect((await processesWith(dev.marker)).length).toBe(7);
  dev.child.kill('SIGTERM');
  await dev.line(/^Stopping: the workers drain/);
  await dev.line(
    /^etcron dev ended: \d+ firings: \d+ succeeded, \d+ failed.*p99 \d.*takeover.*[1-9] runs? recovered$/,
  );
  expect(await dev.exited).toEqual([0, null]);
  for (const worker of [newPid, dev.pidOf('w-1'), dev.pidOf('w-2')]) {
    expect(existsSync(`/proc/${worker}`)).toBe(false);
  }
  await untilGone(dev.marker);
  expect(existsSync(root!)).toBe(false);
  // A pipe gets no colours.
  // eslint-disable-next-line no-control-regex
  expect(dev.output).not.toMatch(/\u001b/);
});

test('a data folder is continued by the next start', async () => {
  const dataDir = join(dir, 'data');
  const first = new Dev(['-f', await jobsFile(TICK), '--data-dir', dataDir, '--log', join(dir, 'feed.txt')]);
  await first.line(new RegExp(`^etcd .*data in ${dataDir}`));
  const [succeeded] = await first.line(/ tick .*✓ succeeded.*/);
  first.child.kill('SIGINT');
  expect(await first.exited).toEqual([0, null]);
  expect(await readFile(join(dir, 'feed.txt'), 'utf8')).toContain(succeeded);

  const second = new Dev(['--data-dir', dataDir]);
  await second.line(/^jobs +1 job$/);
  await second.line(/ tick .*✓ succeeded/);
  second.child.kill('SIGTERM');
  expect(await second.exited).toEqual([0, null]);
  await untilGone(second.marker);
});

test('SIGKILL of dev leaves neither etcd nor workers nor commands nor data behind', async () => {
  const dev = new Dev([
    '-f',
    await jobsFile('endless: { schedule: "* * * * * *", command: "sleep 98765.4321", overlap: skip }'),
  ]);
  const [, root] = await dev.line(/^logs +(.*)\/logs$/);
  await dev.line(/ endless .*▶ started/);
  expect(await processesWith('98765.4321')).not.toEqual([]);
  dev.child.kill('SIGKILL');
  await untilGone(dev.marker);
  await untilGone('98765.4321');
  while (existsSync(root!)) await new Promise((resolve) => setTimeout(resolve, 50));
});

test('a second signal ends runs and workers at once', async () => {
  const dev = new Dev([
    '-f',
    await jobsFile('endless: { schedule: "* * * * * *", command: "sleep 98764.321", overlap: skip }'),
  ]);
  await dev.line(/^logs +(.*)\/logs$/);
  await dev.line(/ endless .*▶ started/);
  dev.child.kill('SIGTERM');
  await dev.line(/^Stopping: .*waiting for 1 run of endless/);
  // Signals that come together count as one, so this repeats until it counts as the second.
  const again = setInterval(() => dev.child.kill('SIGTERM'), 100);
  await dev.line(/^Ending everything at once/).finally(() => clearInterval(again));
  expect(await dev.exited).toEqual([143, null]);
  await untilGone(dev.marker);
  await untilGone('98764.321');
});

test('the end of the embedded etcd is an error, and an orderly end', async () => {
  const dev = new Dev(['-f', await jobsFile(TICK)]);
  await dev.line(/^logs +(.*)\/logs$/);
  await dev.line(/ tick .*✓ succeeded/);
  const server = (await processesWith(dev.marker)).find(({ command }) => command.includes('--data-dir'))!;
  process.kill(server.pid, 'SIGKILL');
  await dev.line(/^error: the embedded etcd ended \(SIGKILL\)/);
  await dev.line(/\[ETCRON_ETCD_ENDED\]/);
  expect(await dev.exited).toEqual([1, null]);
  await untilGone(dev.marker);
});

test('when nobody reads any more it ends quietly and in order', async () => {
  const log = join(dir, 'feed.txt');
  const dev = new Dev(['-f', await jobsFile(TICK), '--log', log]);
  const [, root] = await dev.line(/^logs +(.*)\/logs$/);
  await dev.line(/★ w-\d leads now/);
  dev.child.stdout!.destroy();
  expect(await dev.exited).toEqual([0, null]);
  await untilGone(dev.marker);
  expect(existsSync(root!)).toBe(false);
  expect(dev.output).not.toContain('error');
  expect(await readFile(log, 'utf8')).toMatch(/^Stopping: [^]*^etcron dev ended: /m);
});

test('bad jobs are listed with their places before anything is started', async () => {
  const file = await jobsFile(
    'tick: { schedule: "* * * *", command: "true" }',
    'tock: { schedule: "@hourly", comand: "true" }',
  );
  const dev = new Dev(['-f', file]);
  expect(await dev.exited).toEqual([2, null]);
  expect(dev.output).toMatch(/jobs\.yaml:2:\d+ jobs\.tick\.schedule: /);
  expect(dev.output).toMatch(/jobs\.yaml:3:\d+ jobs\.tock\.comand: /);
  expect(dev.output).not.toContain('Using etcd');
});

test('an existing etcd is used and left as it is', async () => {
  const etcd = await startEtcd();
  try {
    const { endpoints } = etcd;
    const dev = new Dev([
      '--endpoints',
      endpoints.join(','),
      '--prefix',
      '/team/cron',
      '-f',
      await jobsFile(TICK),
    ]);
    await dev.line(/^look +npx etcron --endpoints .* --prefix \/team\/cron status$/);
    await dev.line(/ tick .*✓ succeeded/);
    // Who applied these jobs to a cluster that others share.
    const audit = await etcdctl(['get', '--prefix', '/team/cron/access/audit/', '--print-value-only'], {
      endpoints,
    });
    expect(audit).toMatch(/"via":"cli".*jobs\/tick/);
    await etcdctl(['put', '/team/cron/jobs/broken', 'nonsense'], { endpoints });
    await dev.line(/✗ job broken is broken: /);
    dev.child.kill('SIGTERM');
    expect(await dev.exited).toEqual([0, null]);
    expect(etcd.running).toBe(true);
    expect(await etcdctl(['get', '--prefix', '/team/cron/workers', '--keys-only'], { endpoints })).toBe('');
  } finally {
    await etcd.stop();
  }
});
