/**
 * Planning with compares can conflict: somebody claimed, ended or wrote what was to be planned. A conflict says that the
 * mirror was behind. So what to write is decided again, once the mirror has caught up; where that does not end, whatever
 * stands in the way, the job is left for the next pass, and stops no other job.
 */
import { sleep } from '../clock.js';
import { NotLeaderError, type CommitResult } from './leader-writer.js';
import type { TermContext } from './planner-context.js';
import type { Progress } from './progress.js';

const MAX_CONFLICTS = 5;

export class Conflicts {
  readonly #context: TermContext;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  /** Jobs whose firings could not be written for conflicts; said once. */
  readonly #unplannable = new Set<string>();
  #catchingUp: Promise<void> = Promise.resolve();

  constructor(context: TermContext, progress: Progress, signal: AbortSignal) {
    this.#context = context;
    this.#progress = progress;
    this.#signal = signal;
  }

  /**
   * Calls `attempt`, with the number of conflicts so far, until it has none. False when that does not end. Rejects as
   * `attempt` does, and with `NotLeaderError`.
   */
  async untilNone(job: string, attempt: (conflicts: number) => Promise<CommitResult>): Promise<boolean> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      const result = await attempt(conflicts);
      if (result.committed) {
        this.#unplannable.delete(job);
        return true;
      }
      await this.#viewReaches(result.revision);
    }
    if (!this.#unplannable.has(job))
      this.#context.log.error({ job }, 'its firings kept changing while they were planned; trying again');
    this.#unplannable.add(job);
    return false;
  }

  /** One after the other: each may write the cursor, and only one write of it can be under way. */
  #viewReaches(revision: number): Promise<void> {
    const reached = this.#catchingUp.then(() => this.#catchUp(revision));
    this.#catchingUp = reached.catch(() => undefined);
    return reached;
  }

  /** The mirror shows only part of the keyspace: a write of our own into that part is what makes it move for sure. */
  async #catchUp(revision: number): Promise<void> {
    if (this.#context.view.revision >= revision) return;
    const ours = await this.#progress.commit();
    while (this.#context.view.revision < ours) {
      if (this.#signal.aborted || !this.#context.isLeader()) throw new NotLeaderError('while catching up');
      await this.#viewChanges();
    }
  }

  async #viewChanges(): Promise<void> {
    const changed = new AbortController();
    const unsubscribe = this.#context.view.onChange(() => changed.abort(new Error('changed')));
    const signal = AbortSignal.any([changed.signal, this.#signal]);
    await sleep(this.#context.clock, this.#context.options.strideMs, signal).catch(() => undefined);
    unsubscribe();
  }
}
