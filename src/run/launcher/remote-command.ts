/**
 * One command, started through the launcher, as the worker sees it.
 *
 *     ordered ──"starting"──▶ starting ──"started"──▶ running ──"result"──▶ over
 *        │                        └──── the launcher is gone ────┴──▶ tree ended ──▶ over: `lost`, or killed
 *        └─ refused, its time over without "starting", the launcher gone
 *              └─▶ certainly not begun ──▶ started by the worker itself ──▶ over
 *                                      └─ not allowed any more ──▶ over: `not-started`, or killed
 *
 * A kill goes to the launcher. Where it has not led to the end soon after its grace, and the launcher does not answer, the
 * worker ends the tree itself.
 */
import type { Timer } from '../../clock.js';
import { endTree } from '../end-tree.js';
import { registerLiveTree } from '../live-trees.js';
import type { CommandPlan } from '../live-command.js';
import { machineMonotonicMs } from '../machine-time.js';
import type { AttemptFacts } from '../output/settings.js';
import type { OutputTail } from '../output-tail.js';
import { isProcess } from '../process-table.js';
import type { RunContext, RunEnding, RunningTask, RunResult, StartPermit } from '../running-task.js';
import type { Launcher, LauncherLink, OrderedRun, RunMessage } from './launcher.js';
import type { StartedFacts } from './messages.js';
import { afterReading } from './sign-of-life.js';

/** How long an order is valid at most: what a launcher stands still longer than that, the worker starts itself. */
const ORDER_LIMIT_MS = 2_000;
/** How long after its grace a kill may take until the worker looks after it. */
const INSIST_AFTER_MS = 250;

const NO_OUTPUT: OutputTail = { text: '', truncated: false, totalBytes: 0 };
/** Equal to no id, itself included. */
const NO_GROUP = NaN;

export interface RemotePlan extends CommandPlan {
  /** What must not be seen in its output. */
  readonly hidden: readonly string[];
  readonly outlivesWorker: boolean;
  /** Whose output it is. */
  readonly attempt: AttemptFacts;
  readonly permit: StartPermit;
  /** Starts it in the worker. */
  readonly startHere: () => RunningTask;
}

export class RemoteCommand implements RunningTask, OrderedRun {
  readonly marker: string;
  readonly begun: Promise<boolean>;
  readonly result: Promise<RunResult>;
  pid: number | null = null;
  startTicks: number | null = null;
  /** Until it is known: when it was ordered. */
  startedAtMs: number;
  readonly #plan: RemotePlan;
  readonly #context: RunContext;
  readonly #link: LauncherLink;
  readonly #validUntilMs: number;
  readonly #orderedMonotonicMs: number;
  readonly #unregister: () => void;
  #state: 'ordered' | 'starting' | 'running' | 'here' | 'over' = 'ordered';
  /** Of the worker's own. */
  #here: RunningTask | null = null;
  /** Why we ended it; null while we have not. */
  #killedFor: string | null = null;
  #orderTimer: Timer | null = null;
  #insistTimer: Timer | null = null;
  #resolveBegun!: (begun: boolean) => void;
  #resolveResult!: (result: RunResult) => void;

  constructor(plan: RemotePlan, context: RunContext, launcher: Launcher) {
    const { launch, user, marker, request, hidden, outlivesWorker, attempt, permit } = plan;
    this.#plan = plan;
    this.#context = context;
    this.marker = marker;
    this.startedAtMs = context.clock.now();
    this.#orderedMonotonicMs = context.clock.monotonicMs();
    this.begun = new Promise((resolve) => (this.#resolveBegun = resolve));
    this.result = new Promise((resolve) => (this.#resolveResult = resolve));
    this.#validUntilMs = machineMonotonicMs() + Math.min(permit(), ORDER_LIMIT_MS);
    this.#link = launcher.order(
      {
        ...{ launch, user, marker, hidden, outlivesWorker, attempt },
        validUntilMs: this.#validUntilMs,
        timeoutMs: request.timeoutMs,
        killGraceMs: request.killGraceMs,
      },
      this,
    );
    this.#unregister = this.#register();
    this.#awaitOrder();
  }

  get processGroupId(): number | null {
    return this.pid;
  }

  kill(reason: string, graceMs: number = this.#plan.request.killGraceMs): void {
    if (this.#state === 'over') return;
    if (this.#here !== null) return this.#here.kill(reason, graceMs);
    this.#killedFor ??= reason;
    this.#link.kill(reason, graceMs);
    this.#insistTimer?.cancel();
    this.#insistLater(Math.max(0, graceMs) + INSIST_AFTER_MS);
  }

  receive(message: RunMessage): void {
    if (this.#state === 'over' || this.#state === 'here') return;
    switch (message.type) {
      case 'starting':
        this.#orderTimer?.cancel();
        this.#state = 'starting';
        break;
      case 'refused':
        this.#startHere();
        break;
      case 'started':
        this.#started(message);
        break;
      case 'result':
        this.#over(this.#translate(message.result));
        break;
      case 'log':
        this.#context.log[message.level](message.facts, message.text);
        break;
    }
  }

  launcherGone(): void {
    if (this.#state === 'ordered') this.#startHere();
    else if (this.#state !== 'here') void this.#endTree().then(() => this.#lost());
  }

  #started({ pid, startTicks, atMs }: StartedFacts): void {
    this.#state = 'running';
    this.pid = pid;
    this.startTicks = startTicks;
    this.startedAtMs = Math.max(this.startedAtMs, this.#wallTime(atMs));
    this.#resolveBegun(true);
  }

  /** An order that was not said to be starting in time never will be. */
  #awaitOrder(): void {
    const { clock } = this.#context;
    const remainingMs = this.#validUntilMs - machineMonotonicMs();
    this.#orderTimer = clock.setTimer(remainingMs + 1, () => {
      if (machineMonotonicMs() <= this.#validUntilMs) return this.#awaitOrder();
      void afterReading().then(() => {
        if (this.#state === 'ordered') this.#startHere();
      });
    });
  }

  /** It has certainly not begun. */
  #startHere(): void {
    if (this.#killedFor !== null) return this.#killed();
    if (this.#plan.permit() <= 0) {
      return this.#finish({ kind: 'not-started', reason: 'its launcher did not start it in time' });
    }
    this.#context.log.debug('the launcher did not start it; the worker does');
    this.#state = 'here';
    this.#release();
    const here = (this.#here = this.#plan.startHere());
    this.pid = here.pid;
    this.startTicks = here.startTicks ?? null;
    this.startedAtMs = here.startedAtMs;
    this.#resolveBegun(true);
    void here.result.then((result) => this.#over(result));
  }

  /** Until it is over, or the launcher answers, which then is about to end it. */
  #insistLater(afterMs: number): void {
    this.#insistTimer = this.#context.clock.setTimer(afterMs, () => {
      void this.#insist().then(() => {
        if (this.#state !== 'over' && this.#here === null) this.#insistLater(INSIST_AFTER_MS);
      });
    });
  }

  async #insist(): Promise<void> {
    await afterReading();
    if (this.#link.hasAnswered) return;
    if (this.#state === 'starting' && this.#link.isSilent) this.#link.replace();
    if (this.#state !== 'running') return;
    await this.#endTree();
    await afterReading();
    if (this.#link.isSilent) this.#killed();
  }

  async #endTree(): Promise<void> {
    const { log, clock } = this.#context;
    const group = this.pid === null ? null : { id: this.pid, startTicks: this.startTicks };
    await endTree({ marker: this.marker, group }, log, clock);
  }

  #lost(): void {
    if (this.#killedFor !== null) return this.#killed();
    this.#finish({
      kind: 'lost',
      reason: "the worker's launcher died, so nobody knows how it ended; its processes were ended",
    });
  }

  #killed(): void {
    const signal = this.pid === null ? null : 'SIGKILL';
    this.#finish({ kind: 'killed', reason: this.#killedFor ?? '', exitCode: null, signal });
  }

  #finish(ending: RunEnding): void {
    const { clock } = this.#context;
    this.#over({
      ...{ ending, startedAtMs: this.startedAtMs, endedAtMs: clock.now() },
      durationMs: clock.monotonicMs() - this.#orderedMonotonicMs,
      ...{ stdout: NO_OUTPUT, stderr: NO_OUTPUT, leftovers: 0 },
    });
  }

  #over(result: RunResult): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#release();
    this.#resolveBegun(result.ending.kind !== 'not-started');
    this.#resolveResult(result);
  }

  /** Nothing more is expected of the launcher. */
  #release(): void {
    this.#orderTimer?.cancel();
    this.#insistTimer?.cancel();
    this.#unregister();
    this.#link.forget();
  }

  #translate(result: RunResult): RunResult {
    const { startedAtMs } = this;
    const endedAtMs = Math.max(startedAtMs, this.#wallTime(result.endedAtMs));
    return { ...result, ending: this.#endingOf(result.ending), startedAtMs, endedAtMs };
  }

  #endingOf(ending: RunEnding): RunEnding {
    const reason = this.#killedFor;
    if (ending.kind === 'killed') {
      if (reason !== null) return { ...ending, reason };
      return { kind: 'lost', reason: `its launcher stood still: ${ending.reason}; it was ended at once` };
    }
    // By us, before the launcher had read that it was to be.
    if (ending.kind === 'signalled' && ending.signal === 'SIGKILL' && reason !== null) {
      return { kind: 'killed', reason, exitCode: null, signal: ending.signal };
    }
    return ending;
  }

  /** What the worker's clock showed at a moment of the monotonic one. */
  #wallTime(monotonicMs: number): number {
    return Math.round(this.#context.clock.now() - (machineMonotonicMs() - monotonicMs));
  }

  #register(): () => void {
    const { marker } = this;
    const startTicks = (): number | null => this.startTicks;
    const pid = (): number | null => this.pid;
    return registerLiveTree({
      get tree() {
        return { processGroupId: this.mainAlive ? pid()! : NO_GROUP, marker, startTicks: startTicks() ?? 0 };
      },
      // The launcher may have reaped it: then the id proves nothing.
      get mainAlive() {
        const id = pid();
        return id !== null && isProcess(id, startTicks());
      },
      onKilled: () => {
        this.#killedFor ??= 'the worker ended at once';
      },
    });
  }
}
