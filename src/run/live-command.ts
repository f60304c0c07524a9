import type { Clock, Timer } from '../clock.js';
import type { RunEnding, RunningTask, RunRequest, RunResult } from './running-task.js';
import { registerLiveTree } from './live-trees.js';
import type { Launch } from './launch.js';
import type { Mask } from './mask.js';
import type { AttemptLog } from './output/attempt-log.js';
import { PacedReading } from './output/paced-reading.js';
import type { OutputSink } from './output-tail.js';
import { readStartTicks } from './process-table.js';
import { groupExists, type ProcessTree } from './process-tree.js';
import { explainStartFailure } from './start-failure.js';
import type { FailedStart, MainEnd, StartedProcess, StartProcess } from './started-process.js';
import { TreeTermination, type TerminationLog } from './tree-termination.js';
import { endsWithin } from './within.js';

/** Output that is still open this long after the group was gone is held by a process that left the group. */
const OUTPUT_PATIENCE_MS = 100;
/** Output that is still open this long after the tree was gone is given up. */
const OUTPUT_LIMIT_MS = 1000;
/** How much longer it may be read where the worker itself is behind: what was written is not thrown away. */
const BEHIND_LIMIT_MS = 30_000;

/** What `prepareCommand` made ready. */
export interface CommandPlan {
  readonly launch: Launch;
  /** As whom it runs, where that is not the worker's own user. */
  readonly user: string | undefined;
  /** What must not be seen in its output. */
  readonly mask: Mask;
  readonly marker: string;
  readonly request: Pick<RunRequest, 'timeoutMs' | 'killGraceMs'>;
}

/** What a command needs of the process that starts it: the worker, or its launcher. */
export interface CommandContext {
  readonly clock: Clock;
  readonly log: TerminationLog & { debug(facts: object, message: string): void };
  /** Where the whole output goes. */
  readonly output: AttemptLog;
}

/** A command that has just been started, or has not. */
export interface Spawned {
  readonly outcome: StartedProcess | FailedStart;
  readonly atMs: number;
  readonly atMonotonicMs: number;
}

/** To be made a `LiveCommand` in the same turn of the event loop. */
export function spawnNow(launch: Launch, clock: Clock, start: StartProcess): Spawned {
  const outcome = start(launch);
  // The call returns when the new program has been loaded, so the time after it is the one nearest to the start.
  return { outcome, atMs: clock.now(), atMonotonicMs: clock.monotonicMs() };
}

type Cause = { readonly kind: 'timed-out' } | { readonly kind: 'killed'; readonly reason: string };

/** One command from its start until its tree is gone; the states are described in `command-task.ts`. */
export class LiveCommand implements RunningTask {
  readonly pid: number | null;
  readonly marker: string;
  readonly startedAtMs: number;
  /** Null where it cannot be found out: no `/proc`. */
  readonly startTicks: number | null;
  readonly result: Promise<RunResult>;
  readonly #plan: CommandPlan;
  readonly #clock: Clock;
  readonly #log: CommandContext['log'];
  readonly #startedMonotonicMs: number;
  readonly #stdout: OutputSink;
  readonly #stderr: OutputSink;
  readonly #output: AttemptLog;
  readonly #reading: PacedReading;
  /** Why we ended it; null while we have not. */
  #cause: Cause | null = null;
  #mainAlive = false;
  #graceMs: number;
  #termination: TreeTermination | null = null;

  constructor(plan: CommandPlan, { outcome, atMs, atMonotonicMs }: Spawned, context: CommandContext) {
    const { clock, log, output } = context;
    this.#plan = plan;
    this.#clock = clock;
    this.#log = log;
    this.#graceMs = plan.request.killGraceMs;
    this.marker = plan.marker;
    this.#output = output;
    this.#reading = new PacedReading(output);
    this.#stdout = plan.mask.output((bytes) => output.write('stdout', bytes));
    this.#stderr = plan.mask.output((bytes) => output.write('stderr', bytes));
    this.startedAtMs = atMs;
    this.#startedMonotonicMs = atMonotonicMs;
    if ('error' in outcome) {
      this.pid = this.startTicks = null;
      this.result = outcome.error.then((error) => this.#startFailed(error));
    } else {
      this.pid = outcome.pid;
      // Nobody has reaped it yet, so it is there.
      this.startTicks = startTicksOf(outcome.pid);
      this.result = this.#supervise(outcome);
    }
  }

  get processGroupId(): number | null {
    return this.pid;
  }

  kill(reason: string, graceMs: number = this.#plan.request.killGraceMs): void {
    this.#end({ kind: 'killed', reason }, graceMs);
  }

  #end(cause: Cause, graceMs: number): void {
    if (this.#termination === null) return;
    if (this.#mainAlive) this.#cause ??= cause;
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    void this.#termination.begin(graceMs, true);
  }

  async #supervise(main: StartedProcess): Promise<RunResult> {
    const { pid, stdout, stderr } = main;
    const { marker } = this;
    // Where it is not known: older than everything.
    const tree: ProcessTree = { processGroupId: pid, marker, startTicks: this.startTicks ?? 0 };
    const termination = (this.#termination = new TreeTermination(tree, this.#clock, this.#log));
    this.#mainAlive = true;
    const unregister = this.#register(tree);
    const outputEnded = this.#collectOutput(main);
    const outputEnds = (limitMs: number): Promise<boolean> => this.#outputEnds(outputEnded, limitMs);
    const timeout = this.#startTimeout();

    const end = await main.end;
    this.#mainAlive = false;
    timeout?.cancel();
    const endedByUs = this.#cause !== null;
    termination.mainEnded();

    let leftovers = 0;
    if (endedByUs) await termination.begin(this.#graceMs, true);
    else if (groupExists(pid)) leftovers += await termination.begin(this.#graceMs, false);
    if (!(await outputEnds(OUTPUT_PATIENCE_MS))) {
      const rest = (this.#termination = new TreeTermination(tree, this.#clock, this.#log));
      rest.mainEnded();
      const found = await rest.begin(this.#graceMs, true);
      if (!endedByUs) leftovers += found;
      if (!(await outputEnds(OUTPUT_LIMIT_MS))) {
        this.#log.warn(
          {},
          'the output of a finished run is held open by a process that is not known; it is given up',
        );
        stdout.destroy();
        stderr.destroy();
      }
    }
    unregister();
    this.#termination = null;
    if (leftovers > 0) this.#log.warn({ leftovers }, 'a command left processes behind; they were ended');
    return this.#makeResult(endingOf(this.#cause, end), leftovers);
  }

  #register(tree: ProcessTree): () => void {
    const isMainAlive = (): boolean => this.#mainAlive;
    return registerLiveTree({
      tree,
      get mainAlive() {
        return isMainAlive();
      },
      onKilled: () => {
        if (this.#mainAlive) this.#cause ??= { kind: 'killed', reason: 'the worker ended at once' };
      },
    });
  }

  #startTimeout(): Timer | null {
    const { timeoutMs, killGraceMs } = this.#plan.request;
    if (timeoutMs === null) return null;
    return this.#clock.setTimer(timeoutMs, () => this.#end({ kind: 'timed-out' }, killGraceMs));
  }

  /** Resolves when both streams have ended, or failed, which ends them too. */
  async #collectOutput({ stdout, stderr }: StartedProcess): Promise<void> {
    const failed = (error: Error): void =>
      this.#log.debug({ err: error }, 'reading the output of a run failed');
    await Promise.all([
      this.#reading.read(stdout, (chunk) => this.#stdout.write(chunk), failed),
      this.#reading.read(stderr, (chunk) => this.#stderr.write(chunk), failed),
    ]);
  }

  /** Whether both streams end within the limit, not counting the time for which they wait for us. */
  async #outputEnds(ended: Promise<void>, limitMs: number): Promise<boolean> {
    this.#reading.takeHeldBack();
    for (let waitedMs = 0; ; waitedMs += limitMs) {
      if (await endsWithin(this.#clock, limitMs, ended)) return true;
      if (waitedMs >= BEHIND_LIMIT_MS || !this.#reading.takeHeldBack()) return false;
    }
  }

  #startFailed(error: unknown): RunResult {
    const { launch, user, mask } = this.#plan;
    const { file, env, cwd } = launch;
    const failure = explainStartFailure(error, { file, cwd, path: env.PATH ?? '', user });
    return this.#makeResult({ kind: 'start-failed', ...failure, message: mask.text(failure.message) }, 0);
  }

  #makeResult(ending: RunEnding, leftovers: number): RunResult {
    const tails = { stdout: this.#stdout.tail(), stderr: this.#stderr.tail() };
    this.#output.end();
    return {
      ending,
      startedAtMs: this.startedAtMs,
      endedAtMs: this.#clock.now(),
      durationMs: this.#clock.monotonicMs() - this.#startedMonotonicMs,
      ...tails,
      leftovers,
    };
  }
}

function endingOf(cause: Cause | null, end: MainEnd): RunEnding {
  if (cause !== null) return { ...cause, ...end };
  if (end.signal !== null) return { kind: 'signalled', signal: end.signal };
  return { kind: 'exited', exitCode: end.exitCode ?? 0 };
}

function startTicksOf(pid: number): number | null {
  try {
    return readStartTicks(pid);
  } catch {
    return null;
  }
}
