import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { systemClock, type Clock, type Timer } from '../../src/clock.js';
import type { CommandTask } from '../../src/jobs/index.js';
import {
  makePrepareTask,
  type PreparedTask,
  type RunningTask,
  type RunRequest,
} from '../../src/run/executor.js';
import { findMarkedProcesses } from '../../src/run/process-tree.js';
import { silentLogger } from '../../src/telemetry/logger.js';

/** Longer than any test takes: timers of this length are fired by `HandClock.fire` only. */
export const LONG_MS = 1_000_000;
export const GRACE_MS = 2_000_000;
export const TIMEOUT_MS = 3_000_000;

/** Real time for short timers; those of `LONG_MS` and more wait until the test fires them. */
export class HandClock implements Clock {
  readonly #held = new Map<Timer, { delayMs: number; callback: () => void }>();

  now = (): number => systemClock.now();
  monotonicMs = (): number => systemClock.monotonicMs();

  setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs < LONG_MS) return systemClock.setTimer(delayMs, callback);
    const timer = { cancel: () => void this.#held.delete(timer) };
    this.#held.set(timer, { delayMs, callback });
    return timer;
  }

  /** How many timers of this length are waiting. */
  held(delayMs: number): number {
    return [...this.#held.values()].filter((each) => each.delayMs === delayMs).length;
  }

  fire(delayMs: number): void {
    const due = [...this.#held].filter(([, each]) => each.delayMs === delayMs);
    expect(due).not.toEqual([]);
    for (const [timer, { callback }] of due) {
      this.#held.delete(timer);
      callback();
    }
  }
}

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

/** Runs commands in a scratch directory; after each test no process of any of them may be left. */
export function useRuns() {
  let directory = '';
  let clock = new HandClock();
  let runs: RunningTask[] = [];

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
    expect([clock.held(GRACE_MS), clock.held(TIMEOUT_MS)]).toEqual([0, 0]);
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
    makePrepareTask()(request(command, overrides), context());

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
    start(command: Command, overrides?: Overrides): RunningTask {
      const run = prepare(command, overrides).start();
      runs.push(run);
      return run;
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
