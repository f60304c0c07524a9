import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endTree } from '../../src/run/end-tree.js';
import { readStartTicks } from '../../src/run/process-table.js';
import { groupExists } from '../../src/run/process-tree.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { processRuns, until } from './support.js';
import { daemonCommand, pidIn } from './watchdog/support.js';

const log = silentLogger();
let children: ChildProcess[];
let directory: string;
let marker: string;

beforeEach(() => {
  children = [];
  directory = mkdtempSync(join(tmpdir(), 'etcron-end-tree-'));
  marker = randomBytes(16).toString('hex');
});

afterEach(async () => {
  await endTree({ marker, group: null }, log);
  // A shell may wait for its command instead of becoming it.
  for (const { pid } of children) if (groupExists(pid!)) process.kill(-pid!, 'SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function start(command: string, env: Record<string, string> = { ETCRON_RUN_MARKER: marker }): number {
  const child = spawn('/bin/sh', ['-c', command], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ...env },
  });
  children.push(child);
  return child.pid!;
}

const groupOf = (id: number): { id: number; startTicks: number } => ({ id, startTicks: readStartTicks(id)! });

describe('a group whose leader is the one that the worker started', () => {
  it('is ended, without a marker too', async () => {
    const pid = start('sleep 1000', {});
    expect(await endTree({ marker, group: groupOf(pid) }, log)).toBe(true);
    expect(processRuns(pid)).toBe(false);
  });

  it('is known by its leader even as a zombie', async () => {
    const inner = join(directory, 'inner');
    // The worker is frozen and reaps nothing: here a parent that never waits.
    const parent = start(
      `(exec setsid sh -c 'sh -c "echo \\$\\$ > ${inner}; exec sleep 1000" & exec sh -c "echo \\$\\$ > ${inner}.leader"') & exec sleep 1000`,
      {},
    );
    const member = await pidIn(inner);
    const leader = await pidIn(`${inner}.leader`);
    const group = groupOf(leader);
    await until(() => !processRuns(leader));
    expect(processRuns(member)).toBe(true);
    await endTree({ marker, group }, log);
    expect([member, parent].map(processRuns)).toEqual([false, true]);
  });
});

describe('a group whose id was given to somebody else', () => {
  it('is left alone', async () => {
    const stranger = start('sleep 1000', {});
    const { id, startTicks } = groupOf(stranger);
    expect(await endTree({ marker, group: { id, startTicks: startTicks - 1 } }, log)).toBe(false);
    expect(await endTree({ marker, group: { id, startTicks: null } }, log)).toBe(false);
    expect(processRuns(stranger)).toBe(true);
  });

  it('does not hide what carries the marker', async () => {
    const stranger = start('sleep 1000', {});
    const { id, startTicks } = groupOf(stranger);
    const file = join(directory, 'daemon');
    const main = start(daemonCommand(file));
    const daemon = await pidIn(file);
    expect(await endTree({ marker, group: { id, startTicks } }, log)).toBe(true);
    expect([main, daemon].map(processRuns)).toEqual([false, false]);
  });
});

describe('a run whose group was never told', () => {
  it('is found by its marker, and others with another marker are not', async () => {
    const file = join(directory, 'daemon');
    const main = start(daemonCommand(file));
    const daemon = await pidIn(file);
    const other = start('sleep 1000', { ETCRON_RUN_MARKER: `${marker}0` });
    expect(await endTree({ marker, group: null }, log)).toBe(true);
    expect([main, daemon, other].map(processRuns)).toEqual([false, false, true]);
  });

  it('may be gone', async () => {
    const pid = start('true');
    await once(children[0]!, 'exit');
    expect(await endTree({ marker, group: { id: pid, startTicks: 1 } }, log)).toBe(false);
  });
});
