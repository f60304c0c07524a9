import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { findMarkedProcesses } from '../../../src/run/process-tree.js';
import { readProcess } from '../../../src/run/process-table.js';
import { Watchdog } from '../../../src/run/watchdog/watchdog.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { serviceContract } from '../../service-contract.js';
import { processRuns, until } from '../support.js';
import {
  daemonCommand,
  fakeEtcd,
  pidIn,
  removeFolder,
  sidecarsIn,
  StandIn,
  transpile,
  type FakeEtcd,
  type FakeReply,
} from './support.js';

/** So long that nothing in these tests happens because it has passed. */
const TTL_MS = 600_000;
const SLEEP = 'sleep 1000';

let folder: string;
let directory: string;
let etcd: FakeEtcd;
let onCall: (method: string) => FakeReply | undefined;
let standIns: StandIn[];
let markers: string[];
let watchdogs: Watchdog[];

beforeAll(() => {
  folder = transpile('src/run/watchdog/sidecar/main.ts', 'test/run/watchdog/stand-in.ts');
});
afterAll(() => removeFolder(folder));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etcron-watchdog-'));
  onCall = () => undefined;
  etcd = await fakeEtcd((method) => onCall(method));
  standIns = [];
  markers = [];
  watchdogs = [];
});

afterEach(async () => {
  for (const { child } of standIns) child.kill('SIGKILL');
  for (const watchdog of watchdogs) await watchdog.stop();
  for (const marker of markers) {
    for (const pid of await findMarkedProcesses(marker)) endIfThere(pid);
  }
  await until(() => sidecarsIn(folder).length === 0);
  await etcd.close();
  rmSync(directory, { recursive: true, force: true });
});

function newMarker(): string {
  const marker = randomBytes(16).toString('hex');
  markers.push(marker);
  return marker;
}

async function standIn(
  options: { trustMs?: number; detached?: boolean; ttlMs?: number } = {},
): Promise<StandIn> {
  const worker = new StandIn(folder, etcd.connection, options.detached);
  standIns.push(worker);
  const { trustMs = TTL_MS, ttlMs = TTL_MS } = options;
  await worker.tell({ do: 'session', leaseId: '4711', ttlMs, trustMs });
  return worker;
}

const REVOKE = '/etcdserverpb.Lease/LeaseRevoke';
const revocations = (): unknown[] => etcd.calls.filter(({ method }) => method === REVOKE);

describe('a worker that is killed', () => {
  it('takes the whole trees of its rerun runs with it, and only then its lease', async () => {
    const worker = await standIn();
    const files = [join(directory, 'a'), join(directory, 'b')];
    const trees: number[] = [];
    for (const [index, file] of files.entries()) {
      const groupUnknown = index === 1;
      const command = daemonCommand(file);
      trees.push(await worker.run({ marker: newMarker(), recovery: 'rerun', command, groupUnknown }));
      trees.push(await pidIn(file));
    }
    let alive: number[] | undefined;
    onCall = (method) => {
      if (method === REVOKE) alive ??= trees.filter(processRuns);
      return undefined;
    };
    expect(trees.filter(processRuns)).toEqual(trees);
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect(alive).toEqual([]);
    expect(revocations()).toEqual([{ method: REVOKE, message: '08e724' }]);
    await until(() => worker.stderr.includes('revoked its lease'));
  });

  it('leaves its abandon runs to their work', async () => {
    const worker = await standIn();
    const abandoned = await worker.run({ marker: newMarker(), recovery: 'abandon', command: SLEEP });
    const rerun = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect([abandoned, rerun].map(processRuns)).toEqual([true, false]);
    expect(revocations()).toHaveLength(1);
  });

  it('does not touch runs that had ended', async () => {
    const worker = await standIn();
    const marker = newMarker();
    const file = join(directory, 'a');
    // Its main process ends, which is all that the stand-in looks at; the rest stays, but as nobody's run.
    await worker.run({
      marker,
      recovery: 'rerun',
      command: `${daemonCommand(file).replace('& sleep 1000', '&')}`,
    });
    const daemon = await pidIn(file);
    await until(async () => (await findMarkedProcesses(marker)).length === 1);
    await worker.tell({ do: 'pid' });
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect(processRuns(daemon)).toBe(true);
  });

  it('is cleaned up after when it is stopped first, and while the endpoint says "later"', async () => {
    const worker = await standIn();
    const pid = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    let refusals = 3;
    onCall = () => (refusals-- > 0 ? { code: 14, text: 'no leader' } : undefined);
    process.kill(worker.pid, 'SIGSTOP');
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect(processRuns(pid)).toBe(false);
    expect(revocations()).toHaveLength(4);
  });

  it('is given up when etcd refuses', async () => {
    const worker = await standIn();
    onCall = () => ({ code: 7, text: 'permission%20denied' });
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect(revocations()).toHaveLength(1);
    await until(() => worker.stderr.includes('permission denied'));
  });

  it('is given up when its lease has expired anyway', async () => {
    const worker = await standIn({ ttlMs: 300 });
    onCall = () => ({ code: 14, text: 'no leader' });
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    await until(() => worker.stderr.includes('could not revoke'));
  });
});

/** It may end by itself meanwhile. */
function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

describe('a worker that freezes', () => {
  it('past its trust loses its rerun trees, but neither its abandon runs nor its lease', async () => {
    const worker = await standIn({ trustMs: 2_000 });
    const file = join(directory, 'a');
    const rerun = await worker.run({ marker: newMarker(), recovery: 'rerun', command: daemonCommand(file) });
    const daemon = await pidIn(file);
    const abandoned = await worker.run({ marker: newMarker(), recovery: 'abandon', command: SLEEP });
    process.kill(worker.pid, 'SIGSTOP');
    await until(() => ![rerun, daemon].some(processRuns));
    // Whatever would come after the kill has come when the watchdog has said so.
    await until(() => worker.stderr.includes('ended them'));
    expect(processRuns(abandoned)).toBe(true);
    expect(revocations()).toEqual([]);

    process.kill(worker.pid, 'SIGCONT');
    await worker.tell({ do: 'session', leaseId: '4712', ttlMs: TTL_MS, trustMs: TTL_MS });
    const next = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    expect(sidecarsIn(folder)).toEqual([await worker.watchdogPid()]);
    await worker.tell({ do: 'stop' });
    await until(() => sidecarsIn(folder).length === 0);
    expect([next, abandoned].map(processRuns)).toEqual([true, true]);
    expect(revocations()).toEqual([]);
  });

  it('and is not told so by the time alone: the trust that was extended counts', async () => {
    const worker = await standIn({ trustMs: 4_000 });
    const pid = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    await worker.tell({ do: 'session', leaseId: '4711', ttlMs: TTL_MS, trustMs: TTL_MS });
    // A second worker with the first one's trust shows when that has ended.
    const other = await standIn({ trustMs: 4_000 });
    const victim = await other.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    await until(() => !processRuns(victim));
    expect(processRuns(pid)).toBe(true);
  });
});

describe('a worker that stops in order', () => {
  it('leaves nothing to do', async () => {
    const worker = await standIn();
    const pid = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    expect(sidecarsIn(folder)).toHaveLength(1);
    expect(await worker.tell({ do: 'stop' })).toBe('stopped');
    expect(sidecarsIn(folder)).toEqual([]);
    expect(processRuns(pid)).toBe(true);
    expect(revocations()).toEqual([]);
  });
});

describe('a watchdog', () => {
  it('is out of reach of signals to the worker, its group and its terminal', async () => {
    const worker = await standIn({ detached: true });
    const pid = await worker.watchdogPid();
    const watchdog = readProcess(pid)!;
    expect(watchdog).toMatchObject({ processGroupId: pid, sessionId: pid });
    const run = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    await worker.tell({ do: 'pid' });
    expect(await worker.watchdogPid()).toBe(pid);
    process.kill(-worker.pid, 'SIGINT');
    await until(() => sidecarsIn(folder).length === 0);
    expect(processRuns(run)).toBe(false);
    expect(revocations()).toHaveLength(1);
  });

  it('is replaced when it dies, and the next one knows everything', async () => {
    const worker = await standIn();
    const file = join(directory, 'a');
    const run = await worker.run({ marker: newMarker(), recovery: 'rerun', command: daemonCommand(file) });
    const daemon = await pidIn(file);
    const first = await worker.watchdogPid();
    process.kill(first, 'SIGKILL');
    await until(async () => ![0, first].includes((await worker.watchdogPid()) || 0));
    expect([run, daemon].map(processRuns)).toEqual([true, true]);
    await until(() => worker.stderr.includes('the watchdog ended'));
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect([run, daemon].map(processRuns)).toEqual([false, false]);
    expect(revocations()).toHaveLength(1);
  });

  it('that is killed together with its worker leaves nothing of itself; the runs go on', async () => {
    const worker = await standIn();
    const run = await worker.run({ marker: newMarker(), recovery: 'rerun', command: SLEEP });
    const pid = await worker.watchdogPid();
    process.kill(worker.pid, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await worker.die('SIGKILL');
    await until(() => !processRuns(pid));
    expect(sidecarsIn(folder)).toEqual([]);
    expect(processRuns(run)).toBe(true);
    expect(revocations()).toEqual([]);
  });

  it('carries no secret in its arguments or its environment', async () => {
    const secret = 'hunter2';
    const worker = new StandIn(folder, {
      ...etcd.connection,
      credentials: { user: 'u', password: secret },
    });
    standIns.push(worker);
    await worker.tell({ do: 'session', leaseId: '4711', ttlMs: TTL_MS, trustMs: TTL_MS });
    const pid = await worker.watchdogPid();
    const seen = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1'));
    expect(seen.join()).not.toContain(secret);
    await worker.die('SIGKILL');
    await until(() => sidecarsIn(folder).length === 0);
    expect(etcd.calls[0]?.message).toContain(Buffer.from(secret).toString('hex'));
  });
});

describe('a watchdog that does not read', () => {
  it('holds nobody up, and is replaced', async () => {
    const watchdog = makeWatchdog();
    await watchdog.start();
    const first = watchdog.pid!;
    process.kill(first, 'SIGSTOP');
    // More than a pipe takes.
    for (let i = 0; i < 20_000; i++) {
      watchdog.runStarting({ marker: `m${i}`, recovery: 'rerun' });
      if (i % 2 === 0) watchdog.runEnded(`m${i}`);
    }
    await until(() => ![null, first].includes(watchdog.pid));
    expect(processRuns(first)).toBe(false);
    await watchdog.stop();
    expect(sidecarsIn(folder)).toEqual([]);
  });

  it('for a while is told everything when it reads again', async () => {
    const watchdog = makeWatchdog();
    await watchdog.start();
    const { pid } = watchdog;
    process.kill(pid!, 'SIGSTOP');
    for (let i = 0; i < 20_000; i++) watchdog.runStarting({ marker: `m${i}`, recovery: 'rerun' });
    for (let i = 0; i < 20_000; i++) watchdog.runEnded(`m${i}`);
    process.kill(pid!, 'SIGCONT');
    const remainingMs = 300;
    watchdog.setSession({
      leaseId: '1',
      ttlMs: TTL_MS,
      trustedUntilMs: systemClock.monotonicMs() + remainingMs,
    });
    const marker = newMarker();
    watchdog.runStarting({ marker, recovery: 'rerun' });
    const child = spawn('/bin/sh', ['-c', SLEEP], {
      detached: true,
      env: { ETCRON_RUN_MARKER: marker, PATH: '/usr/bin:/bin' },
    });
    watchdog.runStarted({ marker, processGroupId: child.pid! });
    // It ends the run whose trust ends, so it has heard of both.
    await until(() => !processRuns(child.pid!));
    expect(watchdog.pid).toBe(pid);
    await watchdog.stop();
  });
});

it('a watchdog that cannot be started is tried again, and stops', async () => {
  const entry = join(directory, 'missing.js');
  const watchdog = makeWatchdog(entry);
  await watchdog.start();
  watchdog.runStarting({ marker: 'm', recovery: 'rerun' });
  await watchdog.stop();
  expect(existsSync(entry)).toBe(false);
});

function makeWatchdog(entry = join(folder, 'src/run/watchdog/sidecar/main.js')): Watchdog {
  const { connection } = etcd;
  const watchdog = new Watchdog({ clock: systemClock, log: silentLogger(), connection, entry });
  watchdogs.push(watchdog);
  return watchdog;
}

serviceContract('Watchdog', () => makeWatchdog(), { leftovers: () => sidecarsIn(folder).map(String) });
