/** A real launcher, which is killed, frozen and flooded. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { makePrepareTask, type RunningTask, type StartPermit } from '../../../src/run/executor.js';
import { LauncherProcess } from '../../../src/run/launcher/launcher-process.js';
import { Launcher } from '../../../src/run/launcher/launcher.js';
import type { FromLauncher, StartOrder } from '../../../src/run/launcher/messages.js';
import { machineMonotonicMs } from '../../../src/run/machine-time.js';
import { OUTPUT_TAIL_BYTES } from '../../../src/run/output-tail.js';
import { findMarkedProcesses } from '../../../src/run/process-tree.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { serviceContract } from '../../service-contract.js';
import { transpile } from '../../support/transpile.js';
import { processRuns, until, useRuns, type Command, type Overrides } from '../support.js';
import { removeFolder, sidecarsIn } from '../watchdog/support.js';

const runs = useRuns();
let folder: string;
let entry: string;
let launcher: Launcher;
let frozen: number[];

beforeAll(() => {
  folder = transpile('src/run/launcher/main.ts');
  entry = join(folder, 'src/run/launcher/main.js');
});
afterAll(() => removeFolder(folder));

beforeEach(async () => {
  frozen = [];
  launcher = new Launcher({ clock: systemClock, log: silentLogger(), entry });
  await launcher.start();
});
afterEach(async () => {
  for (const pid of frozen) if (processRuns(pid)) process.kill(pid, 'SIGCONT');
  await launcher.stop();
});

function start(command: Command, overrides?: Overrides, permit?: StartPermit): RunningTask {
  const context = { clock: systemClock, log: silentLogger() };
  return makePrepareTask({ launcher })(runs.request(command, overrides), context).start(permit);
}

async function begin(command: Command, overrides?: Overrides): Promise<RunningTask> {
  const run = start(command, overrides);
  await run.begun;
  return run;
}

function freeze(): void {
  frozen.push(launcher.pid!);
  process.kill(launcher.pid!, 'SIGSTOP');
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

/** Notes that it was started. */
const NOTE = 'echo started >> starts';
const starts = (): number => {
  const path = join(runs.directory, 'starts');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').length : 0;
};

describe('a launcher', () => {
  it('is the parent of the commands, and tells when they started on the worker’s clock', async () => {
    const before = Date.now();
    const run = await begin('exec sleep 1000');
    expect(parentOf(run.pid!)).toBe(launcher.pid);
    expect(run.startedAtMs).toBeGreaterThanOrEqual(before);
    expect(run.startedAtMs).toBeLessThanOrEqual(Date.now());
    run.kill('done', 0);
    expect((await run.result).startedAtMs).toBe(run.startedAtMs);
  });

  it('knows nothing of the worker: neither its variables nor, for others to see, what a command is told', async () => {
    const run = await begin('sleep 1000', { env: { PLAIN: 'told-to-the-command' } });
    const environment = readFileSync(`/proc/${launcher.pid}/environ`, 'latin1');
    expect(environment).toMatch(/^ETCRON_RUN_MARKER=[0-9a-f]{32}\0$/);
    expect(readFileSync(`/proc/${launcher.pid}/cmdline`, 'latin1')).not.toContain('told');
    run.kill('done', 0);
    await run.result;
  });

  it('takes 200 MB of output and keeps the end, with little memory', async () => {
    const { ending, stdout } = await start('head -c 200000000 /dev/zero | tr "\\0" x; echo end').result;
    expect(ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(stdout.totalBytes).toBe(200_000_004);
    expect(stdout.text).toBe('x'.repeat(OUTPUT_TAIL_BYTES - 4) + 'end\n');
    const peakKb = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${launcher.pid}/status`, 'latin1'))?.[1];
    expect(Number(peakKb)).toBeLessThan(150_000);
  });

  it('starts many at once', async () => {
    const all = Array.from({ length: 100 }, (_, index) => start(['printf', '%s', String(index)]));
    const results = await Promise.all(all.map(({ result }) => result));
    expect(results.map(({ stdout }) => stdout.text)).toEqual(all.map((_, index) => String(index)));
  });

  it('ends what it runs when it is stopped', async () => {
    const run = await begin('exec sleep 1000');
    await launcher.stop();
    expect((await run.result).ending.kind).toBe('lost');
    expect(processRuns(run.pid!)).toBe(false);
  });
});

it('a launcher is made known to the watchdog, and gets no order before the watchdog knows of the run', async () => {
  const told: string[] = [];
  const watchdog = {
    launcherStarted: () => void told.push('launcher'),
    launcherEnded: () => void told.push('launcher ended'),
    flush: () => void told.push('flush'),
  };
  const watched = new Launcher({ clock: systemClock, log: silentLogger(), entry, watchdog });
  await watched.start();
  const context = { clock: systemClock, log: silentLogger() };
  const prepared = makePrepareTask({ launcher: watched })(runs.request(['true']), context);
  await new Promise(setImmediate);
  told.push('ordered');
  expect(prepared.startsElsewhere).toBe(true);
  const run = prepared.start();
  await Promise.resolve();
  expect(told).toEqual(['launcher', 'flush', 'ordered', 'flush']);
  expect((await run.result).ending).toEqual({ kind: 'exited', exitCode: 0 });
  await watched.stop();
  expect(told.at(-1)).toBe('launcher ended');
});

describe('a launcher that is killed', () => {
  it('loses its runs, whose trees are ended, and is replaced; meanwhile the worker starts commands', async () => {
    const first = launcher.pid!;
    const run = await begin(`setsid sh -c 'echo > inner; exec sleep 1000' > log 2>&1 & exec sleep 1000`);
    await runs.file('inner');
    process.kill(first, 'SIGKILL');
    await until(() => !launcher.isReady);
    const meanwhile = await begin(['sleep', '1000']);
    expect(parentOf(meanwhile.pid!)).toBe(process.pid);
    expect((await run.result).ending.kind).toBe('lost');
    expect(await findMarkedProcesses(run.marker)).toEqual([]);
    await until(() => launcher.isReady);
    expect(launcher.pid).not.toBe(first);
    expect((await start('echo again').result).stdout.text).toBe('again\n');
    meanwhile.kill('done', 0);
    await meanwhile.result;
  });

  it('makes no other ending of a run that was being killed', async () => {
    const run = await begin(`trap '' TERM; echo > ready; while :; do sleep 1000; done`);
    await runs.file('ready');
    run.kill('asked by ada', 100_000);
    process.kill(launcher.pid!, 'SIGKILL');
    expect((await run.result).ending).toMatchObject({ kind: 'killed', reason: 'asked by ada' });
    expect(await findMarkedProcesses(run.marker)).toEqual([]);
  });

  it('before it has read an order has certainly not begun it: the worker does', async () => {
    freeze();
    const run = start(`${NOTE}; exec sleep 1000`);
    process.kill(launcher.pid!, 'SIGKILL');
    expect(await run.begun).toBe(true);
    expect(parentOf(run.pid!)).toBe(process.pid);
    await until(() => starts() === 1);
    run.kill('done', 0);
    await run.result;
  });
});

describe('a launcher that is frozen', () => {
  it('does not keep a command from starting, once, and does not start it when it wakes up', async () => {
    freeze();
    const run = start(NOTE);
    expect((await run.result).ending).toEqual({ kind: 'exited', exitCode: 0 });
    process.kill(launcher.pid!, 'SIGCONT');
    expect((await start('echo awake').result).stdout.text).toBe('awake\n');
    expect(starts()).toBe(1);
  });

  it('is not asked again when it has not answered for a while', async () => {
    freeze();
    launcher.expect();
    await until(() => !launcher.isReady);
    const run = start(['true']);
    expect(run.begun).toBeUndefined();
    await run.result;
  });

  it('does not start what may not start any more, nor does the worker', async () => {
    freeze();
    let allowedMs = 200;
    const run = start(NOTE, {}, () => allowedMs);
    allowedMs = 0;
    expect(await run.begun).toBe(false);
    expect((await run.result).ending.kind).toBe('not-started');
    process.kill(launcher.pid!, 'SIGCONT');
    await start('echo awake').result;
    expect(starts()).toBe(0);
  });

  it('does not start what was killed meanwhile', async () => {
    freeze();
    const run = start(NOTE);
    run.kill('asked by ada');
    expect((await run.result).ending).toMatchObject({ kind: 'killed', reason: 'asked by ada', signal: null });
    process.kill(launcher.pid!, 'SIGCONT');
    await start('echo awake').result;
    expect(starts()).toBe(0);
  });

  it('does not save a run from being killed', async () => {
    const run = await begin(`setsid sh -c 'echo > inner; exec sleep 1000' > log 2>&1 & exec sleep 1000`);
    await runs.file('inner');
    freeze();
    run.kill('trust-lost', 0);
    const { ending } = await run.result;
    expect(ending).toEqual({ kind: 'killed', reason: 'trust-lost', exitCode: null, signal: 'SIGKILL' });
    expect(await findMarkedProcesses(run.marker)).toEqual([]);
  });
});

describe('an order', () => {
  let said: FromLauncher[];
  let launched: LauncherProcess;
  const about = (id: number): string[] =>
    said.flatMap((each) => ('id' in each && each.id === id ? [each.type] : []));
  const order = (id: number, validForMs: number): { type: 'start' } & StartOrder => ({
    ...{ type: 'start', id, validUntilMs: machineMonotonicMs() + validForMs, user: undefined, marker: 'm' },
    launch: {
      ...{ file: '/bin/sh', args: ['-c', NOTE], env: { PATH: '/usr/bin:/bin' }, cwd: runs.directory },
      ...{ ids: null, umask: null, stdin: null },
    },
    ...{ timeoutMs: null, killGraceMs: 1_000, hidden: [], outlivesWorker: false },
    attempt: { runId: 'j', attempt: 1, fencingToken: '1', nodeId: null },
  });

  beforeEach(async () => {
    said = [];
    launched = new LauncherProcess(entry, (message) => said.push(message));
    await until(() => said.length > 0);
  });
  afterEach(async () => {
    launched.endInput();
    await launched.gone;
  });

  it('is refused when its time is over', async () => {
    launched.send([order(1, -1), order(2, 60_000)]);
    await until(() => about(2).includes('result'));
    expect([about(1), about(2)]).toEqual([
      ['starting', 'refused'],
      ['starting', 'started', 'result'],
    ]);
    expect(starts()).toBe(1);
  });

  it('is not carried out when it is taken back in the same breath', async () => {
    launched.send([order(1, 60_000), { type: 'kill', id: 1, reason: 'no', graceMs: 0 }, { type: 'ping' }]);
    await until(() => about(1).length > 0 && said.at(-1)?.type === 'pong');
    expect(about(1)).toEqual(['refused']);
    expect(starts()).toBe(0);
  });
});

it('a launcher that cannot be started is tried again; the worker starts the commands', async () => {
  const broken = new Launcher({ clock: systemClock, log: silentLogger(), entry: join(folder, 'none.js') });
  await broken.start();
  expect(broken.isReady).toBe(false);
  const context = { clock: systemClock, log: silentLogger() };
  const run = makePrepareTask({ launcher: broken })(runs.request('echo here'), context).start();
  expect((await run.result).stdout.text).toBe('here\n');
  await broken.stop();
});

serviceContract('Launcher', () => new Launcher({ clock: systemClock, log: silentLogger(), entry }), {
  // All but the one that each test of this file has.
  leftovers: () =>
    sidecarsIn(folder, 'src/run/launcher/main.js')
      .filter((pid) => pid !== launcher.pid)
      .map(String),
});
