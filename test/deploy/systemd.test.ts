/** What the units rely on, against the worker's own defaults. `systemd-analyze` looks at them in test/cluster. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { commandProblems } from './commands.js';

/** Setting → values, of all sections. */
function readUnit(name: string): Map<string, string[]> {
  const text = readFileSync(new URL(`../../deploy/systemd/${name}`, import.meta.url), 'utf8');
  const settings = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) settings.set(key, [...(settings.get(key) ?? []), value ?? '']);
  }
  return settings;
}

const worker = readUnit('etcron-worker.service');
const serve = readUnit('etcron-serve.service');

test('a worker has the time that a drain may take', () => {
  const { drainGraceMs, killGraceMs } = NODE_DEFAULTS;
  const lastWritesMs = 5_000;
  expect(Number(worker.get('TimeoutStopSec')![0]) * 1_000).toBeGreaterThan(
    drainGraceMs + killGraceMs + lastWritesMs,
  );
});

test('the watchdog outlives the worker, and one greedy command does not end it', () => {
  expect(worker.get('KillMode')).toEqual(['process']);
  expect(worker.get('OOMPolicy')).toEqual(['continue']);
  expect(worker.get('Restart')).toEqual(['always']);
});

test('Node may compile at run time', () => {
  for (const unit of [worker, serve]) expect(unit.has('MemoryDenyWriteExecute')).toBe(false);
});

test('both start commands that there are', () => {
  for (const unit of [worker, serve]) {
    const [start = ''] = unit.get('ExecStart')!;
    expect(start).toMatch(/^\/usr\/bin\/etcron /);
    expect(commandProblems(start.replace('/usr/bin/', ''))).toEqual([]);
  }
});

test('a worker whose commands have users of their own is told to keep what it finds and ends them with', () => {
  expect(worker.get('ProtectProc')).toEqual(['invisible']);
  const page = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8');
  const [, capabilities = ''] = /names a `user` of its own.*`CapabilityBoundingSet=([^`]+)`/.exec(page) ?? [];
  // To read /proc of other users, the environment of their processes among it, takes the last one.
  expect(capabilities.split(' ')).toEqual(
    expect.arrayContaining(['CAP_SETUID', 'CAP_SETGID', 'CAP_KILL', 'CAP_SYS_PTRACE']),
  );
});
