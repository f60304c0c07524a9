/**
 * The leader's work: turning schedules into firings, ahead of time.
 *
 * Every stride (and at once when a job changes) a pass plans all occurrences up to `now + horizon`. The horizon is longer
 * than a takeover takes, so the death of a leader delays nothing. A pass:
 *
 *     dirty jobs (`replan.ts`) → overdue occurrences and firings (`overdue.ts`) → occurrences up to the horizon, and the
 *     cursor (`ahead.ts`)
 *
 * What it works on
 *     how far planning has come (`progress.ts`), which jobs changed (`dirty-jobs.ts`), what is due next (`upcoming.ts`,
 *     kept warm on every node by `standby.ts`)
 *
 * Why nothing is planned twice
 * - Occurrences behind the position have never been planned, by the cursor's meaning: they need no compare.
 * - Everything else (a changed job, an overdue one) compares that neither firing nor run record exists, after reading
 *   which due times are accounted for already (`guarded-firings.ts`, `conflicts.ts`).
 *
 * Failures
 * - Deposed: the next fenced write fails, the pass ends, the next leader goes on at the cursor.
 * - A crash between two commits: the next leader repeats what was not committed, and finds what was.
 * - Planning ahead fails half-way: the cursor is taken up again, like a new leader does it.
 */
import { sleep } from '../clock.js';
import type { Term } from '../election/election.js';
import type { ViewChanges } from '../view/cluster-view.js';
import { Ahead } from './ahead.js';
import { Conflicts } from './conflicts.js';
import { DirtyJobs } from './dirty-jobs.js';
import { GuardedFirings } from './guarded-firings.js';
import { CursorChangedError, NotLeaderError } from './leader-writer.js';
import { MisfireReport } from './misfire-report.js';
import { Overdue } from './overdue.js';
import type { PlannerContext, TermContext } from './planner-context.js';
import { Progress } from './progress.js';
import { Replanner } from './replan.js';
import { MisfireResolver } from './resolve-misfires.js';

/** Plans for one term in office. */
export class Planner {
  readonly #context: TermContext;
  readonly #abort = new AbortController();
  readonly #progress: Progress;
  readonly #dirty: DirtyJobs;
  readonly #replanner: Replanner;
  readonly #overdue: Overdue;
  readonly #ahead: Ahead;
  readonly #misfired: MisfireReport;
  /** The cursor is to be taken up, for the first time or again. */
  #needsCursor = true;
  #waitsForView = false;
  #wake: (() => void) | null = null;
  #woken = false;
  #loop: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(planner: PlannerContext, term: Term) {
    const { signal } = this.#abort;
    const context = { ...planner, enrolment: planner.standby.lend() };
    this.#context = context;
    const progress = new Progress(context, term, signal);
    const dirty = new DirtyJobs(context, progress, () => this.poke());
    const conflicts = new Conflicts(context, progress, signal);
    const guarded = new GuardedFirings(context, progress);
    const report = new MisfireReport(context.log);
    const misfires = new MisfireResolver(context, progress, guarded, report);
    this.#misfired = report;
    const parts = { progress, dirty, conflicts, guarded, misfires };
    this.#progress = progress;
    this.#dirty = dirty;
    this.#replanner = new Replanner(context, parts);
    this.#overdue = new Overdue(context, parts);
    this.#ahead = new Ahead(context, parts);
  }

  start(): void {
    this.#unsubscribe = this.#context.view.onChange((changes) => this.#onView(changes));
    this.#loop = this.#run();
  }

  /** Resolves when no write of this planner is under way. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#abort.abort(new Error('the planner was stopped'));
    this.poke();
    await this.#loop;
    const { standby, enrolment } = this.#context;
    standby.giveBack(enrolment);
  }

  /** Makes the next pass begin at once. */
  poke(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { log, options, isLeader, view } = this.#context;
    while (!this.#abort.signal.aborted) {
      this.#woken = false;
      try {
        this.#waitsForView = !this.#progress.isShownAt(view.revision);
        if (isLeader() && !this.#waitsForView) await this.#pass();
      } catch (error) {
        if (error instanceof CursorChangedError) {
          this.#needsCursor = true;
        } else if (!(error instanceof NotLeaderError)) {
          log.error({ err: error }, 'planning failed; trying again');
        }
      }
      await this.#pause(options.strideMs);
    }
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#woken || this.#abort.signal.aborted) return;
    const waking = new AbortController();
    this.#wake = () => waking.abort(new Error('woken'));
    await sleep(this.#context.clock, delayMs, waking.signal).catch(() => undefined);
    this.#wake = null;
  }

  #onView(changes: ViewChanges): void {
    // With the basis from before this batch: an own cursor write within it may be younger than the change beside it.
    this.#dirty.observe(changes);
    this.#progress.observe(changes.revision);
    const showsOurs = this.#progress.isShownAt(changes.revision);
    if ((this.#needsCursor || this.#waitsForView) && showsOurs) this.poke();
  }

  async #pass(): Promise<void> {
    if (this.#needsCursor) this.#takeUpCursor();
    // What is dirty now was changed at or before this basis or is listed with a later revision.
    const { basis } = this.#progress;
    const overdueThroughMs = this.#context.clock.now() - this.#context.options.misfireAfterMs;
    try {
      await this.#replanner.planDirty(overdueThroughMs);
      await this.#overdue.resolve(overdueThroughMs);
    } finally {
      this.#misfired.close();
    }
    try {
      await this.#ahead.plan(basis);
    } catch (error) {
      // Not planned after all: what was passed over is found again from the cursor.
      this.#needsCursor = true;
      throw error;
    }
  }

  #takeUpCursor(): void {
    const { view, log } = this.#context;
    this.#progress.takeUp();
    this.#dirty.startOver();
    this.#needsCursor = false;
    log.info(
      {
        jobs: view.jobs.size,
        changed: this.#dirty.size,
        plannedThrough: new Date(this.#progress.position.due).toISOString(),
      },
      'planning from the cursor',
    );
  }
}
