/** All claimed firings of this process, across sessions: a process can outlive the lease under which it was started. */
import type { Clock } from '../clock.js';
import type { ClusterView, ViewChanges } from '../view/cluster-view.js';
import { killReason } from '../view/kill-record.js';
import type { Job } from '../jobs/index.js';
import { WallTimerQueue } from '../wall-timer-queue.js';
import type { Claim } from './claim-txn.js';
import { Execution, type ExecutionContext } from './execution.js';
import { formatRunId } from '../etcd/keys.js';

/** What belongs to the session under which a claim was made. */
export type SessionPart = Pick<
  ExecutionContext,
  'nodeId' | 'isTrusted' | 'trustedForMs' | 'isClockRight' | 'sessionEnded' | 'over' | 'submit'
>;

export class Executions {
  readonly #context: Omit<ExecutionContext, keyof SessionPart | 'callAt'>;
  readonly #view: ClusterView;
  readonly #starts: WallTimerQueue;
  readonly #byRun = new Map<string, Execution>();
  readonly #onFreed: (runId: string) => void;
  readonly #unsubscribe: () => void;
  /** Of the last session: made once, since there is an execution for each firing. */
  #ofSession: { readonly session: SessionPart; readonly context: ExecutionContext } | null = null;
  #weight = 0;

  /** `onFreed` is called when an execution is over and its room is free. */
  constructor(
    context: Omit<ExecutionContext, keyof SessionPart | 'callAt'> & { readonly clock: Clock },
    view: ClusterView,
    onFreed: (runId: string) => void,
  ) {
    this.#context = context;
    this.#view = view;
    this.#onFreed = onFreed;
    const start = (runIds: readonly string[]): void => {
      for (const runId of runIds) this.#byRun.get(runId)?.tryStart();
    };
    this.#starts = new WallTimerQueue(context.clock, start, { punctual: true });
    this.#unsubscribe = view.onChange((changes) => this.#onView(changes));
  }

  get size(): number {
    return this.#byRun.size;
  }

  /** The room that they take. */
  get weight(): number {
    return this.#weight;
  }

  get running(): number {
    return this.all().filter((execution) => execution.isRunning).length;
  }

  has(runId: string): boolean {
    return this.#byRun.has(runId);
  }

  all(): Execution[] {
    return [...this.#byRun.values()];
  }

  /** Takes up a claim: it will start at its time, or, where the node drains, is given back at once. */
  add(session: SessionPart, claim: Claim, job: Job, draining = false): Execution {
    const runId = formatRunId(claim.id);
    const execution = new Execution(this.#contextOf(session), claim, job);
    this.#byRun.set(runId, execution);
    this.#weight += job.weight;
    void execution.done.then(() => {
      this.#starts.delete(runId);
      this.#byRun.delete(runId);
      this.#weight -= job.weight;
      this.#onFreed(runId);
    });
    const entry = this.#view.jobs.get(claim.id.job);
    if (entry?.job !== job) execution.jobChanged(entry);
    this.#applyKill(runId);
    if (draining) execution.giveBack();
    else execution.tryStart();
    return execution;
  }

  #contextOf(session: SessionPart): ExecutionContext {
    if (this.#ofSession?.session !== session) {
      const callAt = (id: string, atMs: number): void => this.#starts.set(id, atMs);
      this.#ofSession = { session, context: { ...this.#context, ...session, callAt } };
    }
    return this.#ofSession.context;
  }

  /** Resolves when all executions are over. */
  async settled(): Promise<void> {
    while (this.#byRun.size > 0) await Promise.all(this.all().map((execution) => execution.done));
  }

  close(): void {
    this.#unsubscribe();
    this.#starts.close();
  }

  #onView(changes: ViewChanges): void {
    for (const runId of changes.kills) this.#applyKill(runId);
    if (changes.jobs.size === 0) return;
    for (const execution of this.#byRun.values()) {
      const { job } = execution.claim.id;
      if (changes.jobs.has(job)) execution.jobChanged(this.#view.jobs.get(job));
    }
  }

  #applyKill(runId: string): void {
    const kill = this.#view.kills.get(runId);
    if (kill) this.#byRun.get(runId)?.killRequested(killReason(kill.value));
  }
}
