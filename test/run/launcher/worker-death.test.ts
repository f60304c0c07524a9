/** What becomes of a launcher and its runs when their worker is killed, with and without a watchdog. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findMarkedProcesses } from '../../../src/run/process-tree.js';
import { transpile } from '../../support/transpile.js';
import { processRuns, until } from '../support.js';
import { daemonCommand, fakeEtcd, pidIn, removeFolder, type FakeEtcd } from '../watchdog/support.js';
import { StandInWorker } from './support.js';

/** So long that nothing here happens because it has passed. */
const TTL_MS = 600_000;

let folder: string;
let directory: string;
let worker: StandInWorker;
let etcd: FakeEtcd;
/** What held when the lease was revoked. */
let atRevocation: () => void;
let markers: string[];

beforeAll(() => {
  folder = transpile(
    ...['src/run/launcher/main.ts', 'src/run/watchdog/sidecar/main.ts', 'test/run/launcher/stand-in.ts'],
  );
});
afterAll(() => removeFolder(folder));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etcron-launcher-'));
  atRevocation = () => undefined;
  etcd = await fakeEtcd(() => void atRevocation());
  markers = [];
});
afterEach(async () => {
  worker.child.kill('SIGKILL');
  for (const marker of markers) {
    for (const pid of await findMarkedProcesses(marker)) process.kill(pid, 'SIGKILL');
  }
  await etcd.close();
  rmSync(directory, { recursive: true, force: true });
});

function newMarker(): string {
  const marker = randomBytes(16).toString('hex');
  markers.push(marker);
  return marker;
}

async function run(recovery: 'rerun' | 'abandon', command: string, marker = newMarker()): Promise<number> {
  return Number(await worker.tell({ do: 'run', marker, recovery, command }));
}

describe('a worker without a watchdog that is killed', () => {
  beforeEach(() => {
    worker = new StandInWorker(folder, null);
  });

  it('takes its launcher and the whole trees of its rerun runs with it, and no abandon run', async () => {
    const { launcher } = await worker.pids();
    const marker = newMarker();
    const pidFile = join(directory, 'daemon');
    await run('rerun', daemonCommand(pidFile), marker);
    await pidIn(pidFile);
    const kept = await run('abandon', 'exec sleep 1000');
    await worker.die();
    await until(() => !processRuns(launcher));
    expect(await findMarkedProcesses(marker)).toEqual([]);
    expect(processRuns(kept)).toBe(true);
  });

  it('has nothing started that its launcher had not begun', async () => {
    const { launcher } = await worker.pids();
    process.kill(launcher, 'SIGSTOP');
    const file = join(directory, 'started');
    const command = `echo > ${file}; exec sleep 1000`;
    await worker.tell({ do: 'run', marker: newMarker(), recovery: 'rerun', command, wait: false });
    await worker.die();
    process.kill(launcher, 'SIGCONT');
    await until(() => !processRuns(launcher));
    expect(existsSync(file)).toBe(false);
  });
});

describe('a worker with a watchdog that is killed', () => {
  beforeEach(async () => {
    worker = new StandInWorker(folder, etcd.connection);
    await worker.tell({ do: 'session', ttlMs: TTL_MS });
  });

  it('gives its lease back when its launcher, frozen with a valid order, can start nothing any more', async () => {
    const { launcher } = await worker.pids();
    const marker = newMarker();
    const pid = await run('rerun', 'exec sleep 1000', marker);
    process.kill(launcher, 'SIGSTOP');
    const file = join(directory, 'started');
    const late = newMarker();
    const command = `echo > ${file}; exec sleep 1000`;
    await worker.tell({ do: 'run', marker: late, recovery: 'rerun', command, wait: false });
    const alive: boolean[] = [];
    atRevocation = () => alive.push(processRuns(launcher), processRuns(pid), existsSync(file));
    await worker.die();
    await until(() => etcd.calls.length > 0);
    expect(alive).toEqual([false, false, false]);
    expect(await findMarkedProcesses(late)).toEqual([]);
  });

  it('loses its rerun runs also when its launcher was killed first', async () => {
    const { launcher } = await worker.pids();
    const marker = newMarker();
    const pidFile = join(directory, 'daemon');
    const pid = await run('rerun', daemonCommand(pidFile), marker);
    await pidIn(pidFile);
    process.kill(worker.child.pid!, 'SIGSTOP');
    process.kill(launcher, 'SIGKILL');
    const alive: boolean[] = [];
    atRevocation = () => alive.push(processRuns(pid));
    await worker.die();
    await until(() => etcd.calls.length > 0);
    expect(alive).toEqual([false]);
    expect(await findMarkedProcesses(marker)).toEqual([]);
  });

  it('together with that watchdog has its rerun runs ended by its launcher', async () => {
    const { launcher, watchdog } = await worker.pids();
    const pid = await run('rerun', 'exec sleep 1000');
    process.kill(watchdog!, 'SIGKILL');
    await worker.die();
    await until(() => !processRuns(pid));
    await until(() => !processRuns(launcher));
    expect(etcd.calls).toEqual([]);
  });
});
