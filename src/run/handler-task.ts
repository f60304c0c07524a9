/**
 * A function of the worker's own process, called for one attempt.
 *
 * A function cannot be killed. It is asked to end by its `AbortSignal`: on a kill request, at its timeout, when the lease
 * is not trusted any more, when the worker is stopped. One that goes on regardless keeps its claim for as long as the
 * lease lives, so that no other attempt of the firing runs beside it; its end is recorded when it comes. When the lease
 * does not live, a `rerun` firing is claimed anew somewhere else while the function may still go on here: that is said
 * loudly, and the fencing token, which grows with each claim, lets whatever it writes to refuse the older of the two.
 */
import { sleep } from '../clock.js';
import { DURATION_HELP, parseDuration } from '../duration.js';
import { EtcronError, messageOf } from '../errors.js';
import type { HandlerTask } from '../jobs/index.js';
import { prepareInProcess, type IgnoredEnd, type Work, type WorkEnding } from './in-process-task.js';
import { payloadProblem, type PayloadSchema } from './payload.js';
import { makeRunLogger, type RunLogger } from './run-log.js';
import type { RunIdentity } from './child-environment.js';
import type { PreparedTask, RunContext, RunRequest } from './running-task.js';

/** What a handler is given: one attempt of one firing. */
export interface HandlerRun<Payload = unknown> {
  /** The job's payload, as its schema made it. */
  readonly payload: Payload;
  /**
   * Aborted when the run is to end: somebody killed it, its timeout is over, the worker is stopped, or the worker's lease
   * is not trusted any more. Its `reason` says which. A handler should end soon then: nothing can end it from outside.
   */
  readonly signal: AbortSignal;
  /** Its lines go to the worker's log, and are kept in the run's record as `stderr`. */
  readonly log: RunLogger;
  /** Says how far it is: a fraction from 0 to 1, or a text. Shown in `node.runs()`, and emitted as `runProgress`. */
  readonly progress: (now: number | string) => void;
  /**
   * Grows with every claim of any firing. Keep the greatest that a resource has seen and have it refuse smaller ones:
   * then a run that lost its claim, and does not know it yet, does no harm.
   */
  readonly fencingToken: bigint;
  /** The due time that it runs for. */
  readonly due: Date;
  /** The due time before that in the job's schedule; null where there is none. */
  readonly previousDue: Date | null;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** `<job>/<due>`, as in `etcron runs get`. */
  readonly runId: string;
  /** The run that this one repeats, by its id, when somebody asked for that; null for all others. */
  readonly rerunOf: string | null;
  /** The name of the job. */
  readonly job: string;
  /** Of a job that runs everywhere: the how-manieth (from 0) of how many runs this is; null for all other jobs. */
  readonly everywhere: { readonly index: number; readonly count: number } | null;
  /** The time on the worker's clock. In a test cluster this is the cluster's time. */
  readonly now: () => Date;
  /**
   * Waits, given ms or a duration such as `30s`; rejects with the signal's reason when the run is to end. In a test cluster
   * it takes no real time.
   */
  readonly sleep: (duration: number | string) => Promise<void>;
}

/** May be async. What it returns, when it is JSON, is kept in the run's record as `stdout`; what it throws is the failure. */
export type HandlerFunction<Payload = unknown> = (run: HandlerRun<Payload>) => unknown;

/** A handler as a node knows it. */
export interface Handler {
  readonly schema: PayloadSchema | null;
  readonly handle: HandlerFunction<never>;
}

export interface HandlerHooks {
  readonly onProgress?: (runId: string, now: number | string) => void;
  /** The handler waits for nothing but time, or does so no more. */
  readonly onSleep?: (runId: string, isAsleep: boolean) => void;
  /** A run goes on although its grace is over: `why` it should have ended. */
  readonly onIgnored?: (runId: string, why: IgnoredEnd) => void;
}

/** Bounds what a record keeps of an error. */
const MAX_MESSAGE_LENGTH = 1_000;

/** For `makePrepareTask`: the tasks of these handlers. */
export function makePrepareHandler(handlers: ReadonlyMap<string, Handler>, hooks: HandlerHooks = {}) {
  return (task: HandlerTask, request: RunRequest, context: RunContext): PreparedTask | null => {
    const handler = handlers.get(task.handler);
    if (!handler) return null;
    const { runId } = request.identity;
    return prepareInProcess(
      request,
      context,
      (work) => call(handler, task, { request, context, work, hooks }),
      (why) => {
        sayIgnored(context, why);
        hooks.onIgnored?.(runId, why);
      },
    );
  };
}

interface Call {
  readonly request: RunRequest;
  readonly context: RunContext;
  readonly work: Work;
  readonly hooks: HandlerHooks;
}

async function call({ schema, handle }: Handler, task: HandlerTask, one: Call): Promise<WorkEnding> {
  // A payload that was not written is none.
  let payload: unknown = task.payload ?? undefined;
  if (schema !== null) {
    const judged = await judgePayload(schema, task.handler, payload);
    if (!judged.ok) return { kind: 'start-failed', ...judged.failure };
    payload = judged.payload;
  }
  if (one.work.isAborted) one.work.signal.throwIfAborted();
  try {
    keepResult(await handle(new ThisRun(payload, one) as HandlerRun as HandlerRun<never>), one);
    return { kind: 'completed' };
  } catch (error) {
    if (one.context.log.isLevelEnabled('debug') && error instanceof Error && error.stack)
      one.work.stderr.write(Buffer.from(`${error.stack}\n`));
    return { kind: 'failed', reason: shortMessageOf(error) };
  }
}

async function judgePayload(
  schema: PayloadSchema,
  handler: string,
  written: unknown,
): Promise<
  { ok: true; payload: unknown } | { ok: false; failure: { readonly message: string; readonly hint: string } }
> {
  try {
    const result = await schema['~standard'].validate(written);
    if (result.issues === undefined) return { ok: true, payload: result.value };
    const message = `the payload is not what the handler ${JSON.stringify(handler)} takes: ${payloadProblem(result.issues)}`;
    return { ok: false, failure: { message: clip(message), hint: 'correct the payload of the job' } };
  } catch (error) {
    const message = `the schema of the handler ${JSON.stringify(handler)} failed: ${shortMessageOf(error)}`;
    return { ok: false, failure: { message, hint: 'that is a mistake in the schema, not in the payload' } };
  }
}

/** Makes what it is asked for when it is asked for it: thousands may start at one moment. All of it can be taken out of it. */
class ThisRun implements HandlerRun {
  readonly payload: unknown;
  readonly #call: Call;
  #log: RunLogger | null = null;

  constructor(payload: unknown, call: Call) {
    this.payload = payload;
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.work.signal;
  }

  get log(): RunLogger {
    return (this.#log ??= makeRunLogger(this.#call.context.log, this.#call.work.stderr));
  }

  get progress(): HandlerRun['progress'] {
    const { hooks } = this.#call;
    const { runId } = this;
    return (now) => {
      if (typeof now === 'string') hooks.onProgress?.(runId, clip(now));
      else if (!Number.isNaN(now)) hooks.onProgress?.(runId, Math.min(1, Math.max(0, now)));
    };
  }

  get fencingToken(): bigint {
    return BigInt(this.#identity.fencingToken);
  }

  get due(): Date {
    return new Date(this.#identity.dueIso);
  }

  get previousDue(): Date | null {
    const previousMs = this.#call.request.previousDueMs();
    return previousMs === null ? null : new Date(previousMs);
  }

  get attempt(): number {
    return this.#identity.attempt;
  }

  get runId(): string {
    return this.#identity.runId;
  }

  get job(): string {
    return this.#identity.job;
  }

  get everywhere(): HandlerRun['everywhere'] {
    return this.#identity.everywhere ?? null;
  }

  get rerunOf(): string | null {
    return this.#identity.rerunOf ?? null;
  }

  get now(): () => Date {
    const { clock } = this.#call.context;
    return () => new Date(clock.now());
  }

  get sleep(): HandlerRun['sleep'] {
    const { context, work, hooks } = this.#call;
    const { runId } = this;
    return async (duration) => {
      const delayMs = lengthOf(duration);
      hooks.onSleep?.(runId, true);
      try {
        await sleep(context.clock, delayMs, work.signal);
      } finally {
        hooks.onSleep?.(runId, false);
      }
    };
  }

  get #identity(): RunIdentity {
    return this.#call.request.identity;
  }
}

function lengthOf(duration: number | string): number {
  const ms = typeof duration === 'number' ? duration : parseDuration(duration);
  if (ms === null || Number.isNaN(ms)) throw new EtcronError('ETCRON_USAGE', DURATION_HELP);
  return ms;
}

function keepResult(value: unknown, { context, work }: Call): void {
  if (value === undefined) return;
  try {
    const text: unknown = JSON.stringify(value);
    if (typeof text === 'string') return work.stdout.write(Buffer.from(text));
  } catch {
    // A circle, or a bigint.
  }
  context.log.warn('what the handler returned is no JSON, and is not kept');
}

function sayIgnored({ log }: RunContext, why: IgnoredEnd): void {
  if (why.kind === 'timed-out')
    log.error(
      'the handler goes on although its timeout and the grace are over; its claim is held until it ends',
    );
  else if (why.reason === 'trust-lost')
    log.error(
      'the handler goes on although the lease is not trusted any more: the firing may be run again elsewhere beside it',
    );
  else if (why.reason === 'shutdown')
    log.error(
      'the handler goes on although the worker is being stopped: when the lease expires the firing may be run again elsewhere',
    );
  else
    log.error(
      'the handler goes on although it was killed and the grace is over; its claim is held until it ends',
    );
}

function shortMessageOf(error: unknown): string {
  const message = messageOf(error).trim();
  return message === '' ? 'it threw an error without a message' : clip(message);
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…` : text;
}
