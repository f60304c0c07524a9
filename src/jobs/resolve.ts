import { parseDuration } from '../duration.js';
import { scheduleFingerprint } from '../schedule/index.js';
import type {
  HistoryLimit,
  Job,
  MisfireRule,
  OverlapRule,
  RetryPolicy,
  SecretSource,
  Task,
  WantedLabels,
} from './job.js';
import { resolvePause, startOf } from './pause.js';
import type { JobDefinition } from './schema.js';

/** What holds for a field that a definition does not mention. */
export const JOB_DEFAULTS = {
  timezone: 'UTC',
  everywhere: false,
  weight: 1,
  http: { method: 'GET' },
  retries: {
    attempts: 1,
    delay: '10s',
    backoff: 'exponential',
    maxDelay: '10m',
    jitter: '0s',
    avoidLastWorker: false,
  },
  overlap: { policy: 'skip', limit: 100 },
  maxConcurrent: 1,
  misfire: { policy: 'once', window: '24h', limit: 100 },
  recovery: 'rerun',
  paused: false,
  history: { limit: 100, maxAge: '30d' },
} as const;

/** What most jobs leave out, they share: 100,000 jobs then take a third of the memory. Frozen, since shared. */
const NO_LIST: readonly never[] = Object.freeze([]);
const NO_MAP: Readonly<Record<string, never>> = Object.freeze({});
const ANY_TARGET = Object.freeze({ with: NO_MAP, without: NO_MAP });
const SUCCESS_EXIT_CODES = Object.freeze([0]);
const SUCCESS_STATUS = Object.freeze(['2xx']);

/** The job that a valid definition stands for. */
export function resolveJob(name: string, definition: JobDefinition): Job {
  const timeZone = definition.timezone ?? JOB_DEFAULTS.timezone;
  const overlap = definition.overlap ? resolveOverlap(definition.overlap) : DEFAULT_OVERLAP;
  const bounds = scheduleBounds(definition);
  const jitterMs = definition.jitter === undefined ? 0 : milliseconds(definition.jitter);
  const paused = resolvePause(definition.paused ?? JOB_DEFAULTS.paused);
  return {
    name,
    schedule: definition.schedule,
    timezone: timeZone,
    ...bounds,
    jitterMs,
    maxRuns: definition.maxRuns ?? null,
    removeAfterMs: optionalMs(definition.removeAfter),
    startDeadlineMs: optionalMs(definition.startDeadline),
    target: definition.target
      ? { with: wanted(definition.target.with), without: wanted(definition.target.without) }
      : ANY_TARGET,
    everywhere: definition.everywhere ?? JOB_DEFAULTS.everywhere,
    weight: definition.weight ?? JOB_DEFAULTS.weight,
    task: resolveTask(definition),
    secrets: definition.secrets ? ({ ...definition.secrets } as Record<string, SecretSource>) : NO_MAP,
    timeoutMs: optionalMs(definition.timeout),
    retries: definition.retries ? resolveRetries(definition.retries) : DEFAULT_RETRIES,
    overlap,
    maxConcurrent:
      overlap.policy === 'allow' ? null : (definition.maxConcurrent ?? JOB_DEFAULTS.maxConcurrent),
    limits: definition.limits ? [...new Set(definition.limits)] : NO_LIST,
    misfire: definition.misfire ? resolveMisfire(definition.misfire) : DEFAULT_MISFIRE,
    recovery: definition.recovery ?? JOB_DEFAULTS.recovery,
    paused,
    description: definition.description ?? '',
    labels: definition.labels ? { ...definition.labels } : NO_MAP,
    history: definition.history ? resolveHistory(definition.history) : DEFAULT_HISTORY,
    fingerprint: scheduleFingerprint(definition.schedule, timeZone, {
      ...bounds,
      startAt: startOf({ ...bounds, paused, timezone: timeZone }),
      job: name,
      jitterMs,
    }),
  };
}

/** What filters the due times of the schedule. */
export function scheduleBounds(
  definition: Partial<JobDefinition>,
): Pick<Job, 'startAt' | 'endAt' | 'only' | 'exclude'> {
  const { startAt = null, endAt = null, only = NO_LIST, exclude = NO_LIST } = definition;
  const list = (items: string | readonly string[]): readonly string[] =>
    typeof items === 'string' ? [items] : items;
  return { startAt, endAt, only: list(only), exclude: list(exclude) };
}

/** A default gives way to what was written: `maxDelay: 5s` alone shortens the delay, `delay: 1h` alone lifts the cap. */
function resolveRetries(retries: NonNullable<JobDefinition['retries']>): RetryPolicy {
  const { attempts, delay, backoff, maxDelay, jitter, avoidLastWorker } = JOB_DEFAULTS.retries;
  const capMs = retries.maxDelay === undefined ? Infinity : milliseconds(retries.maxDelay);
  const delayMs =
    retries.delay === undefined ? Math.min(milliseconds(delay), capMs) : milliseconds(retries.delay);
  return {
    attempts: retries.attempts ?? attempts,
    delayMs,
    backoff: retries.backoff ?? backoff,
    maxDelayMs: retries.maxDelay === undefined ? Math.max(milliseconds(maxDelay), delayMs) : capMs,
    jitterMs: milliseconds(retries.jitter ?? jitter),
    exitCodes: retries.exitCodes ?? null,
    avoidLastWorker: retries.avoidLastWorker ?? avoidLastWorker,
  };
}

function resolveHistory(history: NonNullable<JobDefinition['history']>): HistoryLimit {
  return {
    limit: history.limit ?? JOB_DEFAULTS.history.limit,
    maxAgeMs: milliseconds(history.maxAge ?? JOB_DEFAULTS.history.maxAge),
  };
}

function resolveMisfire(misfire: NonNullable<JobDefinition['misfire']>): MisfireRule {
  const written = typeof misfire === 'string' ? { policy: misfire } : misfire;
  const { policy, window, limit } = { ...JOB_DEFAULTS.misfire, ...written };
  return { policy, windowMs: milliseconds(window), limit };
}

function resolveOverlap(overlap: NonNullable<JobDefinition['overlap']>): OverlapRule {
  const written = typeof overlap === 'string' ? { policy: overlap } : overlap;
  return { ...JOB_DEFAULTS.overlap, ...written };
}

const DEFAULT_RETRIES = Object.freeze(resolveRetries({}));
const DEFAULT_HISTORY = Object.freeze(resolveHistory({}));
const DEFAULT_MISFIRE = Object.freeze(resolveMisfire({}));
const DEFAULT_OVERLAP = Object.freeze(resolveOverlap({}));

/** A valid definition has exactly one of the three. */
function resolveTask(definition: JobDefinition): Task {
  const { command, http, handler } = definition;
  if (http !== undefined) {
    const written = typeof http === 'string' ? { url: http } : http;
    return {
      kind: 'http',
      url: written.url,
      method: written.method ?? JOB_DEFAULTS.http.method,
      headers: written.headers ? { ...written.headers } : NO_MAP,
      body: written.body ?? null,
      expectStatus: written.expectStatus ? [...written.expectStatus] : SUCCESS_STATUS,
    };
  }
  if (handler !== undefined) return { kind: 'handler', handler, payload: definition.payload ?? null };
  return {
    kind: 'command',
    command: command ?? '',
    env: definition.env ? { ...definition.env } : NO_MAP,
    cwd: definition.cwd ?? null,
    user: definition.user ?? null,
    group: definition.group ?? null,
    umask: definition.umask === undefined ? null : parseInt(definition.umask, 8),
    nice: definition.nice ?? null,
    stdin: definition.stdin ?? null,
    successExitCodes: definition.successExitCodes ? [...definition.successExitCodes] : SUCCESS_EXIT_CODES,
  };
}

function wanted(labels: Readonly<Record<string, string | readonly string[]>> = {}): WantedLabels {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, typeof value === 'string' ? [value] : [...value]]),
  );
}

function optionalMs(duration: string | undefined): number | null {
  return duration === undefined ? null : milliseconds(duration);
}

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === null) throw new RangeError(`not a duration: ${duration}`);
  return ms;
}
