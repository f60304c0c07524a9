import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Gate } from '../../bench/gate.js';

it('holds commands until it is opened, and none that comes later', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'etcron-bench-test-'));
  try {
    const gate = new Gate(join(folder, 'gate'));
    const script = `echo here; ${gate.waiting}`;
    const held = spawn('/bin/bash', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(held, 'exit');
    await once(held.stdout, 'data');
    expect(held.exitCode).toBe(null);
    gate.open();
    expect(await ended).toEqual([0, null]);
    const late = spawn('/bin/bash', ['-c', script], { stdio: 'ignore' });
    expect(await once(late, 'exit')).toEqual([0, null]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
