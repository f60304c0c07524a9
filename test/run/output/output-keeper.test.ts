/** Whole attempts with their output on disk, of every kind of task, and what becomes of it with time. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { makePrepareTask, type RunRequest } from '../../../src/run/executor.js';
import { makePrepareHandler } from '../../../src/run/handler-task.js';
import { Launcher } from '../../../src/run/launcher/launcher.js';
import { abandonedFolders, touchFolder } from '../../../src/run/output/abandoned.js';
import { OutputKeeper } from '../../../src/run/output/output-keeper.js';
import { Pruner, type PruneOptions } from '../../../src/run/output/prune.js';
import { readAttempt } from '../../../src/run/output/read-attempt.js';
import type { OutputSettings } from '../../../src/run/output/settings.js';
import { listAttempts } from '../../../src/run/output/stored-attempts.js';
import { createLogger, silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { serviceContract } from '../../service-contract.js';
import { waitUntil } from '../../support/wait.js';
import { IDENTITY, useRuns, WAYS } from '../support.js';
import { useHandLauncher } from '../launcher/hand-launcher.js';

const MIB = 2 ** 20;
const RUN = IDENTITY.runId;
let folder: string;

/** The folder of one worker, in that of all of them. */
beforeEach(() => void mkdirSync((folder = join(mkdtempSync(join(tmpdir(), 'etcron-kept-')), 'w-1'))));
afterEach(() => rmSync(dirname(folder), { recursive: true, force: true }));

const settings = (at = folder): OutputSettings => ({
  ...{ folder: at, attemptLimitBytes: MIB, totalLimitBytes: 100 * MIB, maxAgeMs: 86_400_000 },
});

const keeper = (at = folder, log = silentLogger()): OutputKeeper =>
  new OutputKeeper({ settings: settings(at), clock: systemClock, log });

/** Once its end is on the disk. */
async function kept(runId = RUN): Promise<{ stdout: string; stderr: string; both: string }> {
  const stored = await waitUntil(
    async () => {
      const found = (await listAttempts(folder, runId)).at(-1) ?? null;
      return found?.endedAtMs === null ? null : found;
    },
    { what: 'the end of the output' },
  );
  const read = async (stream: 'stdout' | 'stderr' | 'both'): Promise<string> => {
    let text = '';
    const options = { stream, offset: 0, limit: null, follow: null };
    for await (const entry of readAttempt(stored, options))
      if (entry.kind === 'output') text += entry.bytes.toString();
    return text;
  };
  return { stdout: await read('stdout'), stderr: await read('stderr'), both: await read('both') };
}

serviceContract('OutputKeeper', () => keeper());

describe.each(WAYS)('a command, %s,', (way) => {
  const runs = useRuns();
  const isLaunched = way === 'started by the launcher';
  const hand = isLaunched ? useHandLauncher() : null;

  async function run(command: string, secrets: RunRequest['secrets'] = {}) {
    const output = keeper();
    // Of its own: the folder is told at its start.
    const launcher =
      hand &&
      new Launcher({ clock: systemClock, log: silentLogger(), entry: hand.entry, output: settings() });
    await launcher?.start();
    try {
      const prepare = makePrepareTask({ output, launcher: launcher ?? undefined });
      const context = { clock: systemClock, log: silentLogger() };
      return await prepare(runs.request(command, { secrets, killGraceMs: 1_000 }), context).start().result;
    } finally {
      await launcher?.stop();
      await output.stop();
    }
  }

  it('has all that it writes on disk, in order, and its end in the result', async () => {
    const result = await run(
      'echo one; sleep 0.1; echo two >&2; sleep 0.1; head -c 100000 /dev/zero | tr "\\0" x',
    );
    expect(result.stdout.truncated).toBe(true);
    const { stdout, stderr, both } = await kept();
    expect(stdout).toBe(`one\n${'x'.repeat(100_000)}`);
    expect(stderr).toBe('two\n');
    expect(both).toBe(`one\ntwo\n${'x'.repeat(100_000)}`);
  });

  it('has its secrets hidden there, too, whatever the pieces in which it writes them', async () => {
    const file = join(folder, 'secret');
    writeFileSync(file, 'hunter22');
    await run('printf "the password is hunt"; sleep 0.1; printf "er22!"; printf hunter22 >&2', {
      PASSWORD: { file },
    });
    expect(await kept()).toMatchObject({ stdout: 'the password is ***!', stderr: '***' });
  });

  it('loses nothing when it writes much more than is read at a time and ends at once', async () => {
    const result = await run('head -c 30000000 /dev/zero');
    expect(result.ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(result.stdout.totalBytes).toBe(30_000_000);
    const [stored] = await listAttempts(folder, RUN);
    expect(stored!.total).toEqual({ stdout: 30_000_000, stderr: 0 });
    // An eighth is written, and a last write may be as long as what waits.
    expect(stored!.keptBytes).toBeLessThan(8 * (MIB / 8 + 2.5 * MIB));
  });

  it('has no file when it writes nothing', async () => {
    await run('true');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('work within the worker', () => {
  const request = (task: RunRequest['task']): RunRequest => ({
    ...{ task, secrets: {}, timezone: 'UTC', previousDueMs: () => null, timeoutMs: null },
    ...{ identity: IDENTITY, killGraceMs: 1_000, nodeId: 'w-1-abcdef' },
  });

  it('has what a handler logs and returns on disk', async () => {
    const handle = ({ log }: { log: { info(text: string): void } }): unknown => {
      log.info('working');
      return { sent: 3 };
    };
    const output = keeper();
    const prepareHandler = makePrepareHandler(new Map([['mail', { schema: null, handle }]]));
    const log = createLogger({ destination: { write: () => undefined } });
    const prepare = makePrepareTask({ prepareHandler, output });
    const task = { kind: 'handler', handler: 'mail', payload: null } as RunRequest['task'];
    await prepare(request(task), { clock: systemClock, log }).start().result;
    expect(await kept()).toMatchObject({ stdout: '{"sent":3}', stderr: 'info working\n' });
  });

  it('has the answer to a request on disk, and waits for the disk while it comes', async () => {
    const body = Buffer.alloc(5_000_000, 'x');
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      const prepare = makePrepareTask({
        output: new OutputKeeper({
          settings: { ...settings(), attemptLimitBytes: 100 * MIB },
          clock: systemClock,
          log: silentLogger(),
        }),
      });
      const task = { kind: 'http', method: 'GET', url, headers: {}, body: null, expectStatus: ['2xx'] };
      const context = { clock: systemClock, log: silentLogger() };
      const result = await prepare(request(task as unknown as RunRequest['task']), context).start().result;
      expect(result.ending).toEqual({ kind: 'completed' });
      const { stdout, stderr } = await kept();
      expect(stdout.length).toBe(body.length);
      expect(stderr).toContain('HTTP/1.1 200 OK');
    } finally {
      server.close();
    }
  });
});

it('a folder that cannot be written is one warning, and runs go on with their tails', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const at = join(folder, 'file');
  writeFileSync(at, '');
  const output = keeper(at, log);
  const handle = (): string => 'done';
  const prepareHandler = makePrepareHandler(new Map([['mail', { schema: null, handle }]]));
  const prepare = makePrepareTask({ prepareHandler, output });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const task = { kind: 'handler', handler: 'mail', payload: null } as RunRequest['task'];
    const request = {
      task,
      secrets: {},
      timezone: 'UTC',
      previousDueMs: () => null,
      timeoutMs: null,
      killGraceMs: 1,
    };
    const identity = { ...IDENTITY, attempt };
    const { ending, stdout } = await prepare({ ...request, identity }, { clock: systemClock, log }).start()
      .result;
    expect([ending.kind, stdout.text]).toEqual(['completed', '"done"']);
  }
  await output.stop();
  expect(lines.length).toBe(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    folder: at,
    msg: expect.stringContaining('cannot be written') as string,
  });
});

describe('pruning', () => {
  const NOW = Date.parse('2026-11-21T12:00:00.000Z');
  const DAY = 86_400_000;

  /** One file of an attempt, written to that long before NOW. */
  function put(
    ...[job, time, bytes, ageMs, day = '2026-11-20', within = folder]: [
      ...[job: string, time: string, bytes: number, ageMs: number],
      ...[day?: string, within?: string],
    ]
  ): string {
    const at = join(within, job, day);
    mkdirSync(at, { recursive: true });
    const path = join(at, `${time}.1-7.0.log`);
    writeFileSync(path, Buffer.alloc(bytes));
    utimesSync(path, (NOW - ageMs) / 1_000, (NOW - ageMs) / 1_000);
    return path;
  }

  const prune = (overrides: Partial<PruneOptions> = {}, pruner = new Pruner()) =>
    pruner.prune({
      ...settings(),
      folders: [folder],
      maxAgeMs: 3 * DAY,
      nowMs: NOW,
      isLive: () => false,
      ...overrides,
    });

  it('removes what is too old by when it was written, whatever its due time, and then its folders', async () => {
    const old = put('a', '10:00:00.000Z', 10, 4 * DAY, '2026-11-17');
    const backfilled = put('a', '10:00:00.000Z', 10, DAY, '2020-01-01');
    const mixed = put('b', '10:00:00.000Z', 10, 4 * DAY);
    const fresh = put('b', '11:00:00.000Z', 10, DAY);
    expect(await prune()).toMatchObject({ files: 2 });
    expect([old, backfilled, mixed, fresh].map(existsSync)).toEqual([false, true, false, true]);
    expect(existsSync(join(folder, 'a', '2026-11-17'))).toBe(false);
  });

  it('removes the oldest of all jobs until the rest fits with room to spare, but nothing that is still written to', async () => {
    const files = Array.from({ length: 10 }, (_, index) =>
      put(
        index % 2 === 0 ? 'a' : 'b',
        `1${index}:00:00.000Z`,
        MIB,
        (11 - index) * 3_600_000,
        `2026-11-1${index}`,
      ),
    );
    const live = files[0]!.replace(/\.0\.log$/, '');
    const { files: removed, keptBytes } = await prune({
      totalLimitBytes: 6 * MIB,
      isLive: (path) => path === live,
    });
    expect(keptBytes).toBeLessThanOrEqual(6 * MIB);
    const left = files.map((path) => existsSync(path));
    expect(left).toEqual([
      true,
      ...Array<boolean>(removed).fill(false),
      ...Array<boolean>(9 - removed).fill(true),
    ]);
    expect(removed).toBeGreaterThanOrEqual(4);
  });

  it('counts a file that grew after the last look, and lets strangers alone', async () => {
    const pruner = new Pruner();
    const path = put('a', '10:00:00.000Z', 10, 0);
    const stranger = join(folder, 'a', '2026-11-20', 'notes.txt');
    writeFileSync(stranger, 'mine');
    const before = await prune({}, pruner);
    put('a', '10:00:00.000Z', 5 * MIB, 0);
    const after = await prune({}, pruner);
    expect(after.keptBytes - before.keptBytes).toBe(5 * MIB - 4096);
    await prune({ maxAgeMs: 0, nowMs: NOW + DAY }, pruner);
    expect([path, stranger].map(existsSync)).toEqual([false, true]);
  });

  it('finds nothing where there is nothing', async () => {
    expect(await prune({ folders: [join(folder, 'missing')] })).toEqual({ files: 0, bytes: 0, keptBytes: 0 });
  });

  it('takes the folders of workers that are no more for those that nobody has touched in a while', async () => {
    const at = (name: string): string => join(dirname(folder), name);
    const aged = (path: string, ageMs: number): void =>
      utimesSync(path, (NOW - ageMs) / 1_000, (NOW - ageMs) / 1_000);
    const HOUR = 3_600_000;
    for (const name of ['gone', 'idle', 'busy', 'new', 'w-1'])
      put('a', '10:00:00.000Z', 10, DAY, '2026-11-20', at(name));
    for (const name of ['gone', 'idle', 'busy', 'w-1']) aged(join(at(name), 'a', '2026-11-20'), DAY);
    mkdirSync(at('foreign/a/b'), { recursive: true });
    await touchFolder(at('idle'), NOW - 20 * 60_000);
    await touchFolder(at('busy'), NOW);
    await touchFolder(at('never-wrote'), NOW);
    aged(join(at('new'), 'a', '2026-11-20'), 10 * 60_000);
    expect(await abandonedFolders(folder, NOW)).toEqual([at('gone')]);
    // Its worker stopped two hours ago.
    expect((await abandonedFolders(folder, NOW + 2 * HOUR)).sort()).toEqual(
      ['busy', 'gone', 'idle', 'new'].map(at),
    );
    expect(existsSync(at('never-wrote'))).toBe(false);
  });

  it('keeps what such workers have left within the limits together, and removes their empty folders', async () => {
    const at = (name: string): string => join(dirname(folder), name);
    const sinceNowMs = NOW - Date.now();
    const files = ['gone-1', 'gone-2', 'gone-3'].map((name, index) =>
      put('a', '10:00:00.000Z', MIB, sinceNowMs + (4 - index) * DAY, '2026-11-20', at(name)),
    );
    for (const file of files) {
      const longAgo = (Date.now() - 2 * DAY) / 1_000;
      utimesSync(dirname(file), longAgo, longAgo);
    }
    await touchFolder(at('gone-1'), Date.now() - 2 * DAY);
    const own = put('a', '10:00:00.000Z', 1_024, sinceNowMs + DAY);
    const clock = new FakeClock();
    const limits = { totalLimitBytes: 1.5 * MIB, maxAgeMs: 3.5 * DAY };
    const output = new OutputKeeper({ settings: { ...settings(), ...limits }, clock, log: silentLogger() });
    await output.start();
    await clock.advance(5_000);
    // The first is too old, of the others only one fits.
    await waitUntil(() => !existsSync(at('gone-1')) && !existsSync(at('gone-2')), {
      what: 'the empty folders to go',
    });
    expect([...files, own].map(existsSync)).toEqual([false, false, true, true]);
    await Promise.all([output.stop(), clock.advance(2_000)]);
  });
});
