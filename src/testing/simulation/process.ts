/**
 * The processes of the simulation, and what an observer outside of etcron notes about them.
 *
 * A command is a text: `run 5000` runs for 5 s; `run 300 exit 1` fails; `run 300 exit 1 until 3` fails in its first two
 * attempts; `… stubborn` ignores SIGTERM. What follows a `#` means nothing.
 */
import type { Clock, Timer } from '../../clock.js';
import type { PreparedTask, RunEnding, RunningTask, RunRequest, RunResult } from '../../run/executor.js';
import type { Freezer } from './freezer.js';

const BEHAVIOUR = /^run (\d+)(?: exit (\d+)(?: until (\d+))?)?( stubborn)?(?: #.*)?$/;
/** How long a command takes to end after SIGTERM. */
const SIGTERM_TAKES_MS = 40;

/** One process. Times without another word are those of the simulation's own clock. */
export interface ObservedProcess {
  readonly worker: string;
  readonly runId: string;
  readonly job: string;
  readonly dueMs: number;
  readonly attempt: number;
  readonly fencingToken: number;
  readonly command: string;
  readonly startedAtMs: number;
  /** What the wall clock of its node showed. */
  readonly startedAtNodeMs: number;
  /** How far its node believed its clock to be off when it started; null where it knew too few others to tell. */
  readonly knownSkewMs: number | null;
  endedAtMs: number | null;
  /** `exit 0`, `killed: shutdown`, `SIGKILL`, … */
  how: string | null;
}

export interface Host {
  readonly worker: string;
  /** Of the simulation. */
  readonly clock: Clock;
  /** Of the node. */
  readonly nodeClock: Clock;
  readonly freezer: Freezer;
  readonly knownSkewMs: () => number | null;
  readonly onStarted: (process: SimulatedProcess) => void;
}

export class SimulatedProcess {
  readonly observed: ObservedProcess;
  readonly marker: string;
  readonly running: RunningTask;
  readonly #host: Host;
  readonly #isStubborn: boolean;
  readonly #startedAtNodeMs: number;
  readonly #killGraceMs: number;
  readonly #timers = new Set<Timer>();
  #resolve!: (result: RunResult) => void;

  constructor(host: Host, request: RunRequest, marker: string) {
    const { identity } = request;
    const { clock, nodeClock, worker } = host;
    this.#host = host;
    this.marker = marker;
    this.#startedAtNodeMs = nodeClock.now();
    this.#killGraceMs = request.killGraceMs;
    const command = request.task.kind === 'command' ? String(request.task.command) : '';
    const [, durationMs = '10', failure = '0', until = 'Infinity', stubborn] = BEHAVIOUR.exec(command) ?? [];
    this.#isStubborn = stubborn !== undefined;
    this.observed = {
      ...{ worker, runId: identity.runId, job: identity.job, dueMs: Date.parse(identity.dueIso) },
      ...{ attempt: identity.attempt, fencingToken: Number(identity.fencingToken) },
      command,
      ...{ startedAtMs: clock.now(), startedAtNodeMs: this.#startedAtNodeMs },
      ...{ knownSkewMs: host.knownSkewMs(), endedAtMs: null, how: null },
    };
    const result = new Promise<RunResult>((resolve) => (this.#resolve = resolve));
    const exitCode = identity.attempt < Number(until) ? Number(failure) : 0;
    this.#after(Number(durationMs), () => this.#end({ kind: 'exited', exitCode }));
    const { timeoutMs } = request;
    if (timeoutMs !== null) {
      this.#after(timeoutMs, () => this.#terminate({ kind: 'timed-out', exitCode: null, signal: 'SIGTERM' }));
    }
    this.running = {
      ...{ pid: 1, processGroupId: 1, marker, startedAtMs: this.#startedAtNodeMs, result },
      kill: (reason, graceMs) =>
        this.#terminate({ kind: 'killed', reason, exitCode: null, signal: 'SIGKILL' }, graceMs),
    };
  }

  get isOver(): boolean {
    return this.observed.endedAtMs !== null;
  }

  /** SIGKILL from outside of the worker. */
  killedFromOutside(): void {
    this.#end({ kind: 'signalled', signal: 'SIGKILL' });
  }

  #terminate(ending: RunEnding, graceMs: number = this.#killGraceMs): void {
    if (graceMs === 0) this.#end(ending);
    else
      this.#after(this.#isStubborn ? graceMs : Math.min(graceMs, SIGTERM_TAKES_MS), () => this.#end(ending));
  }

  #end(ending: RunEnding): void {
    if (this.isOver) return;
    const { clock, nodeClock, freezer } = this.#host;
    for (const timer of this.#timers) timer.cancel();
    this.observed.endedAtMs = clock.now();
    this.observed.how = nameOf(ending);
    const endedAtMs = nodeClock.now();
    const output = { text: '', truncated: false, totalBytes: 0 };
    const result: RunResult = {
      ...{ ending, startedAtMs: this.#startedAtNodeMs, endedAtMs },
      durationMs: this.observed.endedAtMs - this.observed.startedAtMs,
      ...{ stdout: output, stderr: output, leftovers: 0 },
    };
    freezer.pass(() => this.#resolve(result));
  }

  #after(delayMs: number, callback: () => void): void {
    if (!this.isOver) this.#timers.add(this.#host.clock.setTimer(delayMs, callback));
  }
}

/** What a node gets in place of the real executor. */
export function prepareSimulated(host: Host, request: RunRequest, marker: string): PreparedTask {
  return {
    marker,
    hasProcesses: true,
    start() {
      const process = new SimulatedProcess(host, request, marker);
      host.onStarted(process);
      return process.running;
    },
  };
}

function nameOf(ending: RunEnding): string {
  switch (ending.kind) {
    case 'exited':
      return `exit ${ending.exitCode}`;
    case 'signalled':
      return ending.signal;
    case 'killed':
      return `killed: ${ending.reason}`;
    case 'completed':
    case 'failed':
    case 'timed-out':
    case 'start-failed':
    case 'not-started':
    case 'lost':
      return ending.kind;
  }
}
