import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notingCommand, parseStarts, repeatedStarts } from '../../bench/evidence.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'etcron-bench-test-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('what commands note', () => {
  it('is read as it was written', () => {
    const file = join(folder, 'starts');
    const { command, env } = notingCommand(file, 'exit 0');
    const [program = '', ...args] = command;
    const fromMs = Date.now();
    for (const attempt of ['1', '2'])
      execFileSync(program, args, {
        stdio: 'ignore',
        env: { ...env, ETCRON_RUN_ID: 'a/x', ETCRON_ATTEMPT: attempt },
      });
    const starts = parseStarts(readFileSync(file, 'utf8'));
    expect(starts.map(({ runId, attempt, workerPid }) => ({ runId, attempt, workerPid }))).toEqual([
      { runId: 'a/x', attempt: 1, workerPid: process.pid },
      { runId: 'a/x', attempt: 2, workerPid: process.pid },
    ]);
    const [first, second] = starts.map(({ atMs }) => atMs);
    expect(first).toBeGreaterThanOrEqual(fromMs);
    expect(second).toBeGreaterThan(first!);
    expect(second).toBeLessThan(Date.now() + 1);
  });

  it('does not count before its line is complete', () => {
    expect(parseStarts('a/x 1 7 1.5\nb/x 1 7 1')).toEqual([
      { runId: 'a/x', attempt: 1, workerPid: 7, atMs: 1500 },
    ]);
    expect(parseStarts('')).toEqual([]);
  });

  it('shows an attempt that started twice', () => {
    const start = { runId: 'a/x', attempt: 1, workerPid: 7, atMs: 5 };
    expect(repeatedStarts([start, { ...start, attempt: 2 }, { ...start, runId: 'b/x' }])).toEqual([]);
    expect(repeatedStarts([start, { ...start, workerPid: 8 }])).toEqual(['started twice: a/x, attempt 1']);
  });
});
