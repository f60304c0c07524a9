import { randomBytes } from 'node:crypto';
import { EtcronError } from '../../errors.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { backfillSuffix } from '../../history/made-later.js';
import type { RunRecord } from '../../history/run-record.js';
import { pauseAt, quote, scheduleOf, type Job } from '../../jobs/index.js';
import { preview } from '../../schedule/index.js';
import { manualFiring } from '../../view/firing-record.js';
import type { JobEntry } from '../../view/job-entry.js';
import { requestFiring } from '../../view/request-run.js';
import { confirm } from '../confirm.js';
import type { CliContext } from '../context.js';
import type { OperationContext } from '../../operations/context.js';
import { brokenJob, findJob } from '../../operations/find-job.js';
import { stateText } from '../../operations/job-state.js';
import { durationText, outcomeReason, styledOutcome } from '../outcome-text.js';
import { plural } from '../../plural.js';
import { timeText } from '../../time-text.js';
import { backfillRange, isoText, type BackfillRange } from './backfill-range.js';
import { followRun } from '../../operations/follow-run.js';
import { warnWithoutWorkers } from './run-job.js';

export interface BackfillOptions {
  /** Moments as they were written. */
  readonly from: string;
  readonly to: string;
  readonly dryRun?: boolean;
  readonly concurrency: number;
  readonly yes?: boolean;
}

/** More than this is asked about. */
const MAX_UNASKED = 20;

/**
 * Runs the job for the past due times of a range, oldest first, so many at a time, and shows how each run ends. Rejects with
 * ETCRON_RUN_FAILED unless all succeed, and with what stopped it before all were asked for; either says how to go on.
 */
export async function backfillJob(
  context: CliContext,
  name: string,
  options: BackfillOptions,
): Promise<void> {
  await context.withOperations(async (cluster) => {
    const job = (await findRunnable(context, cluster, name)).job!;
    const range = backfillRange(job, options.from, options.to, context.clock.now());
    if (options.dryRun) return list(context, job, range);
    const { dues } = range;
    const question = `Run ${name} for ${plural(dues.length, 'due time')}, ${span(dues)}?`;
    if (dues.length > MAX_UNASKED && !options.yes && !(await confirm(context, question, '--yes'))) {
      context.out.note('Nothing was run.');
      context.exitCode = 1;
      return;
    }
    await warnWithoutWorkers(context, cluster);
    await new Backfill(context, cluster, job, range, options).run();
  });
}

/** Rejects where there is no such job, and where it is broken or paused. */
async function findRunnable(context: CliContext, cluster: OperationContext, name: string): Promise<JobEntry> {
  const entry = await findJob(cluster, name);
  if (entry.job === null) throw brokenJob(entry, cluster.keys.job(name), 'run');
  const nowMs = context.clock.now();
  if (pauseAt(entry.job, nowMs) === null) return entry;
  throw new EtcronError('ETCRON_JOB_PAUSED', `${quote(name)} is ${stateText(entry, nowMs)}`, {
    hint: `Resume it first: etcron jobs resume ${name}`,
    details: { name },
  });
}

function list({ out, json }: CliContext, job: Job, { dues, reachesFuture }: BackfillRange): void {
  if (json) {
    return out.json({
      job: job.name,
      dryRun: true,
      count: dues.length,
      due: dues.map(isoText),
      reachesFuture,
    });
  }
  const entries = preview(scheduleOf(job), dues[0]! - 1, dues.length);
  for (const { dueMs, localText } of entries) out.line(`${localText}  ${timeText(dueMs)}`);
  out.note(`${job.name} was due ${plural(dues.length, 'time')}, ${span(dues)}. Nothing was run.`);
}

function span(dues: readonly number[]): string {
  const [first, last] = [dues[0]!, dues.at(-1)!];
  return first === last ? `at ${timeText(first)}` : `from ${timeText(first)} to ${timeText(last)}`;
}

/** One backfill under way. */
class Backfill {
  readonly #context: CliContext;
  readonly #cluster: OperationContext;
  readonly #job: Job;
  readonly #range: BackfillRange;
  readonly #options: BackfillOptions;
  readonly #suffix: string;
  readonly #left = new AbortController();
  readonly #ended: { readonly run: string; readonly due: number; readonly outcome: string }[] = [];
  #underWay = 0;
  #asking: Promise<unknown> = Promise.resolve();
  /** Of the due time that is asked for next. */
  #next = 0;
  /** Nothing more is asked for: by request, or because it failed. */
  #stopped: { readonly error: unknown } | 'asked' | null = null;

  constructor(
    context: CliContext,
    cluster: OperationContext,
    job: Job,
    range: BackfillRange,
    options: BackfillOptions,
  ) {
    this.#context = context;
    this.#cluster = cluster;
    this.#job = job;
    this.#range = range;
    this.#options = options;
    this.#suffix = backfillSuffix(context.clock.now(), randomBytes(2).toString('hex'));
  }

  async run(): Promise<void> {
    const { out, environment, colors } = this.#context;
    const { dues, reachesFuture } = this.#range;
    const { concurrency } = this.#options;
    out.note(
      `${this.#job.name}: ${plural(dues.length, 'due time')}, ${span(dues)}, ${concurrency} at a time`,
    );
    if (reachesFuture) out.note(colors.dim('What lies in the future is left to the schedule.'));
    const unlisten = environment.onInterrupt?.(() => this.#interrupt());
    try {
      await Promise.all(Array.from({ length: Math.min(concurrency, dues.length) }, () => this.#lane()));
    } finally {
      unlisten?.();
    }
    this.#report();
  }

  /** One run after another. */
  async #lane(): Promise<void> {
    const { dues } = this.#range;
    while (this.#stopped === null && this.#next < dues.length) {
      const index = this.#next;
      this.#next += 1;
      let id: FiringId | null = null;
      try {
        id = await this.#ask(dues[index]!);
        await this.#follow(id);
      } catch (error) {
        if (this.#left.signal.aborted) return;
        // What could not be asked for is where to go on.
        if (id === null) this.#next = Math.min(this.#next, index);
        this.#stopped ??= { error };
      }
    }
  }

  /** One after another, so that no run begins before an older one stands there and has the first turn. */
  #ask(dueMs: number): Promise<FiringId> {
    const asked = this.#asking.then(() => this.#askNow(dueMs));
    this.#asking = asked.catch(() => undefined);
    return asked;
  }

  #askNow(dueMs: number): Promise<FiringId> {
    const { clock } = this.#context;
    const { name } = this.#job;
    const find = (): Promise<JobEntry> => findRunnable(this.#context, this.#cluster, name);
    return requestFiring(this.#cluster, name, find, () => ({
      id: { job: name, dueMs, suffix: this.#suffix },
      // Late on purpose: it waits for a slot instead of being skipped, behind older ones.
      firing: { ...manualFiring(this.#cluster.actor.name), misfire: true, notBefore: clock.now() },
    }));
  }

  async #follow(id: FiringId): Promise<void> {
    const { clock } = this.#context;
    const { signal } = this.#left;
    this.#underWay += 1;
    try {
      const run = await followRun(this.#cluster, id, {
        ...{ clock, timeoutMs: null, signal },
        onProgress: () => undefined,
      });
      this.#tell(id, run.record);
    } catch (error) {
      if (!(error instanceof EtcronError) || error.code !== 'ETCRON_RUN_NOT_FOUND') throw error;
      this.#tell(id, null);
    } finally {
      this.#underWay -= 1;
    }
  }

  #tell(id: FiringId, record: RunRecord | null): void {
    const { out, colors, json } = this.#context;
    const due = id.dueMs;
    this.#ended.push({ run: formatRunId(id), due, outcome: record?.outcome ?? 'gone' });
    if (json) return;
    const { text, paint } = record
      ? styledOutcome(record.outcome, colors)
      : { text: 'gone', paint: colors.red };
    const why = record === null ? 'it was removed, or its record is damaged' : outcomeReason(record);
    const cells = [timeText(due), paint(text), record ? durationText(record) : '', why].filter(
      (cell) => cell !== '',
    );
    out.line(`${colors.dim(`${this.#ended.length}/${this.#range.dues.length}`)}  ${cells.join('  ')}`);
  }

  #interrupt(): void {
    const { out } = this.#context;
    if (this.#stopped === 'asked') {
      this.#left.abort(new Error('left by the user'));
      return;
    }
    this.#stopped ??= 'asked';
    out.note(
      this.#underWay === 0
        ? 'Stopping.'
        : `Stopping: waiting for ${plural(this.#underWay, 'run')}; Ctrl-C again leaves ${this.#underWay === 1 ? 'it' : 'them'} to the workers.`,
    );
  }

  #report(): void {
    const { out, json } = this.#context;
    const { dues } = this.#range;
    const next = this.#next < dues.length ? dues[this.#next]! : null;
    const failed = this.#ended.filter(({ outcome }) => outcome !== 'succeeded');
    const goOn = next === null ? null : this.#goOn(next);
    if (json) {
      out.json({
        job: this.#job.name,
        backfill: this.#suffix,
        count: dues.length,
        runs: this.#ended.map(({ run, due, outcome }) => ({ run, due: isoText(due), outcome })),
        next: next === null ? null : isoText(next),
      });
    }
    const summary = `${this.#ended.length} of ${dues.length} runs ended, ${failed.length} of them not well`;
    if (this.#stopped !== null && this.#stopped !== 'asked') throw withHint(this.#stopped.error, goOn);
    if (failed.length > 0) {
      throw new EtcronError('ETCRON_RUN_FAILED', summary, {
        hint:
          goOn ?? `See "etcron runs list --job ${this.#job.name}", and "etcron runs get" with a run's id.`,
        details: { failed: failed.map(({ run }) => run) },
      });
    }
    if (goOn === null && this.#underWay === 0 && this.#ended.length === dues.length) {
      if (!json) out.line(`${this.#context.colors.green('✓')} all ${plural(dues.length, 'run')} succeeded`);
      return;
    }
    this.#context.exitCode = 1;
    out.note(goOn ?? 'All runs were asked for; the workers go on with those that have not ended.');
  }

  #goOn(nextMs: number): string {
    const { to, concurrency } = this.#options;
    const width = concurrency === 1 ? '' : ` --concurrency ${concurrency}`;
    return `Go on with: etcron backfill ${this.#job.name} --from ${isoText(nextMs)} --to ${to}${width}`;
  }
}

function withHint(error: unknown, hint: string | null): unknown {
  if (!(error instanceof EtcronError) || hint === null) return error;
  const { code, message, details, cause } = error;
  return new EtcronError(code, message, {
    hint: error.hint === undefined ? hint : `${error.hint} ${hint}`,
    details,
    cause,
  });
}
