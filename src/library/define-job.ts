/** Jobs and handlers in code. */
import { isDeepStrictEqual } from 'node:util';
import { EtcronError } from '../errors.js';
import {
  checkJobName,
  formatPath,
  formatProblem,
  quote,
  validateDefinition,
  type JobDefinition,
  type Problem,
} from '../jobs/index.js';
import type { Handler, HandlerFunction } from '../run/handler-task.js';
import {
  payloadProblem,
  type PayloadInput,
  type PayloadOutput,
  type PayloadResult,
  type PayloadSchema,
} from '../run/payload.js';

/** Fields that say what is to be done in another way than by a handler. */
type OtherTaskFields =
  | 'command'
  | 'http'
  | 'handler'
  | 'payload'
  | 'env'
  | 'secrets'
  | 'cwd'
  | 'user'
  | 'group'
  | 'umask'
  | 'nice'
  | 'stdin'
  | 'successExitCodes';

/** The fields of the job reference that go with every job: `schedule`, `timezone`, `retries`, `overlap` and all the others. */
export type JobFields = Omit<JobDefinition, OtherTaskFields>;

/** What a handler is called with, given the type of its schema; `unknown` without one. */
export type PayloadOf<Schema> = Schema extends PayloadSchema ? PayloadOutput<Schema> : unknown;

/** `data` has to be there, unless the schema takes `undefined`; without a schema it is whatever one likes. */
type DataField<Schema> = Schema extends PayloadSchema
  ? undefined extends PayloadInput<Schema>
    ? { readonly data?: PayloadInput<Schema> }
    : { readonly data: PayloadInput<Schema> }
  : { readonly data?: unknown };

/** A job that runs a function of the program. */
export type HandlerJob<Schema extends PayloadSchema | undefined = undefined> = JobFields & {
  /** The job's name, and that of its handler. */
  readonly name: string;
  /** A schema of zod (or of any library that follows Standard Schema): what the handler takes. */
  readonly payload?: Schema;
  /** Called for each due time, on one worker. */
  readonly handler: HandlerFunction<PayloadOf<Schema>>;
} & DataField<Schema>;

/** A job that runs a command or sends a request: the fields of a file of jobs, and a name. */
export type TaskJob = JobDefinition & {
  /** The job's name. */
  readonly name: string;
};

/** A handler on its own, for jobs that stand in files or were put into etcd by other means. */
export interface HandlerDefinition<Schema extends PayloadSchema | undefined = undefined> {
  /** What the handler takes. */
  readonly payload?: Schema;
  /** Called for each firing of a job that names it. */
  readonly handler: HandlerFunction<PayloadOf<Schema>>;
}

/** What `defineJob` gives: a job whose definition is known to be good. */
export class DefinedJob {
  /** The name of the job. */
  readonly name: string;
  /** As it is written to etcd. */
  readonly definition: JobDefinition;
  /** The function behind it; null for a command or a request.
   * @internal */
  readonly handler: Handler | null;

  /** @internal */
  constructor(name: string, definition: JobDefinition, handler: Handler | null) {
    this.name = name;
    this.definition = definition;
    this.handler = handler;
  }
}

/** What `defineHandler` gives. */
export class DefinedHandler {
  /** @internal */
  readonly handler: Handler;

  /** @internal */
  constructor(handler: Handler) {
    this.handler = handler;
  }
}

/**
 * A job whose runs are calls of a function, typed by the schema of its payload:
 *
 * ```ts
 * const report = defineJob({
 *   name: 'report',
 *   schedule: '0 6 * * *',
 *   timezone: 'Europe/Berlin',
 *   payload: z.object({ region: z.string() }),
 *   data: { region: 'north' },
 *   handler: async (run) => sendReport(run.payload.region, { signal: run.signal }),
 * });
 * ```
 *
 * `data` is the payload of its runs. It is written to etcd with the rest of the definition, must be JSON, and is judged by
 * the schema here, at the start of a node, and again by the worker before each call.
 *
 * @throws EtcronError ETCRON_JOB_INVALID (or another of the codes for jobs) with everything that is wrong.
 */
export function defineJob<Schema extends PayloadSchema | undefined = undefined>(
  job: HandlerJob<Schema>,
): DefinedJob {
  const { name, payload: schema, data, handler, ...fields } = job;
  if (typeof handler !== 'function')
    throw invalidJob(name, [{ code: 'ETCRON_JOB_INVALID', path: 'handler', message: 'must be a function' }]);
  const definition = judge(name, {
    ...fields,
    handler: name,
    ...(data === undefined ? {} : { payload: asJson(name, data) }),
  });
  const defined = new DefinedJob(name, definition, toHandler({ payload: schema, handler }));
  const result = schema?.['~standard'].validate(data);
  if (result !== undefined && !(result instanceof Promise)) assertPayload(name, result);
  return defined;
}

/**
 * A handler without a job, for jobs that stand elsewhere: `createNode({ handlers: { report: defineHandler({ … }) } })`.
 * Jobs name it in their field `handler`.
 */
export function defineHandler<Schema extends PayloadSchema | undefined = undefined>(
  definition: HandlerDefinition<Schema>,
): DefinedHandler {
  return new DefinedHandler(toHandler(definition));
}

/** A job as it was given to a node. @throws EtcronError with everything that is wrong. */
export function toDefinedJob(job: DefinedJob | TaskJob): DefinedJob {
  if (job instanceof DefinedJob) return job;
  const { name, ...fields } = job;
  return new DefinedJob(name, judge(name, fields), null);
}

/** Judges the payload of a job by schemas that take their time, too. @throws EtcronError ETCRON_JOB_INVALID. */
export async function checkPayload({ name, definition, handler }: DefinedJob): Promise<void> {
  if (handler?.schema) assertPayload(name, await handler.schema['~standard'].validate(definition.payload));
}

function toHandler<Schema extends PayloadSchema | undefined>({
  payload,
  handler,
}: {
  readonly payload?: Schema | undefined;
  readonly handler: HandlerFunction<PayloadOf<Schema>>;
}): Handler {
  return { schema: payload ?? null, handle: handler };
}

function judge(name: string, fields: object): JobDefinition {
  const wrongName = checkJobName(String(name));
  if (wrongName) throw invalidJob(String(name), [wrongName]);
  const result = validateDefinition(fields, name);
  if (result.ok) return result.definition;
  throw invalidJob(
    name,
    result.problems.map(({ path, offset: _, atKey: __, ...rest }) => ({ ...rest, path: formatPath(path) })),
  );
}

/** A payload goes through etcd: what does not survive that would be another one on the worker. */
function asJson(name: string, data: unknown): unknown {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(data));
    if (isDeepStrictEqual(copy, data)) return copy;
  } catch {
    // A circle, a bigint, or nothing at all.
  }
  const message = 'must be JSON: texts, numbers, booleans, null, lists and maps';
  const hint = 'write a Date as text, and leave out what is undefined; the schema can turn it back';
  throw invalidJob(name, [{ code: 'ETCRON_JOB_INVALID', path: 'data', message, hint }]);
}

function assertPayload(name: string, result: PayloadResult<unknown>): void {
  if (result.issues === undefined) return;
  const message = `is not what the handler takes: ${payloadProblem(result.issues)}`;
  throw invalidJob(name, [{ code: 'ETCRON_JOB_INVALID', path: 'data', message }]);
}

function invalidJob(name: string, problems: readonly Problem[]): EtcronError {
  const lines = problems.map((problem) => formatProblem(problem));
  const message = lines.length === 1 ? lines[0]! : lines.map((line) => `\n  ${line}`).join('');
  const code = problems[0]?.code ?? 'ETCRON_JOB_INVALID';
  return new EtcronError(code, `the job ${quote(name)}: ${message}`, { details: { job: name, problems } });
}
