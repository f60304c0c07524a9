import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { CommandTask } from '../../src/jobs/index.js';
import {
  makePrepareTask,
  type PreparedTask,
  type RunningTask,
  type RunRequest,
} from '../../src/run/executor.js';
import { findMarkedProcesses } from '../../src/run/process-tree.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { GRACE_MS, HandClock, TIMEOUT_MS } from './hand-clock.js';
import { useHandLauncher } from './launcher/hand-launcher.js';

export { GRACE_MS, HandClock, LONG_MS, TIMEOUT_MS } from './hand-clock.js';

export const IDENTITY: RunRequest['identity'] = {
  job: 'backup',
  dueIso: '2026-11-21T14:00:00.000Z',
  attempt: 2,
  runId: 'backup/2026-11-21T14:00:00.000Z',
  fencingToken: '4711',
};

export type Command = CommandTask['command'];

/** What a request, or its command, has beyond the defaults. */
export type Overrides = Partial<Omit<RunRequest, 'task'> & Omit<CommandTask, 'kind' | 'command'>>;

export function commandTask(command: Command, options: Partial<CommandTask> = {}): CommandTask {
  return {
    ...{ kind: 'command', command, env: {}, cwd: null, user: null, group: null, umask: null, nice: null },
    ...{ stdin: null, successExitCodes: [0] },
    ...options,
  };
}

/** Who starts the commands of a test. */
export const WAYS = ['started by the worker', 'started by the launcher'] as const;

/** Runs commands in a scratch directory; after each test no process of any of them may be left. */
export function useRuns(way: (typeof WAYS)[number] = 'started by the worker') {
  let directory = '';
  let clock = new HandClock();
  let runs: RunningTask[] = [];
  const isLaunched = way === 'started by the launcher';
  const launcher = isLaunched ? useHandLauncher() : null;
  /** How many timers of this length wait, where the commands are watched. */
  const held = async (delayMs: number): Promise<number> =>
    launcher === null ? clock.held(delayMs) : launcher.tell('held', delayMs);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'etcron-run-'));
    clock = new HandClock();
    runs = [];
  });

  afterEach(async () => {
    const left: Record<string, number[]> = {};
    for (const run of runs) {
      const pids = await findMarkedProcesses(run.marker);
      if (pids.length > 0) left[run.marker] = pids;
      for (const pid of pids) process.kill(pid, 'SIGKILL');
    }
    rmSync(directory, { recursive: true, force: true });
    expect(left).toEqual({});
    expect([await held(GRACE_MS), await held(TIMEOUT_MS)]).toEqual([0, 0]);
  });

  const request = (command: Command, overrides: Overrides = {}): RunRequest => {
    const { secrets, timezone, previousDueMs, timeoutMs, identity, killGraceMs, ...options } = overrides;
    return {
      task: commandTask(command, { cwd: directory, ...options }),
      secrets: secrets ?? {},
      timezone: timezone ?? 'UTC',
      previousDueMs: previousDueMs ?? (() => null),
      timeoutMs: timeoutMs ?? null,
      identity: identity ?? IDENTITY,
      killGraceMs: killGraceMs ?? GRACE_MS,
    };
  };
  const context = () => ({ clock, log: silentLogger() });
  const prepare = (command: Command, overrides?: Overrides): PreparedTask =>
    makePrepareTask({ launcher: launcher?.launcher })(request(command, overrides), context());

  return {
    get directory() {
      return directory;
    },
    get clock() {
      return clock;
    },
    context,
    request,
    prepare,
    isLaunched,
    start(command: Command, overrides?: Overrides): RunningTask {
      const run = prepare(command, overrides).start();
      // By whom it should be, where there is a process.
      if (run.pid !== null || run.begun !== undefined) expect(run.begun !== undefined).toBe(isLaunched);
      runs.push(run);
      return run;
    },
    /** Resolves when its process is there. */
    async begin(command: Command, overrides?: Overrides): Promise<RunningTask> {
      const run = this.start(command, overrides);
      await run.begun;
      return run;
    },
    held,
    async fire(delayMs: number): Promise<void> {
      if (launcher === null) return clock.fire(delayMs);
      await until(async () => (await held(delayMs)) > 0);
      await launcher.tell('fire', delayMs);
    },
    /** Waits until the command has written this file in its working directory, and returns its text. */
    async file(name: string): Promise<string> {
      const path = join(directory, name);
      await until(() => existsSync(path) && readFileSync(path, 'utf8').endsWith('\n'));
      return readFileSync(path, 'utf8').trim();
    },
  };
}

/** Waits for a condition; fails when it does not come true for long. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not so after 30 s: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A zombie, which only its parent can remove, counts as gone. */
export function processRuns(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
