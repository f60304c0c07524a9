import { parseDuration } from '../duration.js';
import { scheduleFingerprint } from '../schedule/index.js';
import type { Job, MisfireRule, OverlapRule, RetryPolicy, SecretSource, Task, WantedLabels } from './job.js';
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

/** The job that a valid definition stands for. */
export function resolveJob(name: string, definition: JobDefinition): Job {
  const timeZone = definition.timezone ?? JOB_DEFAULTS.timezone;
  const overlap = resolveOverlap(definition.overlap);
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
    target: { with: wanted(definition.target?.with), without: wanted(definition.target?.without) },
    everywhere: definition.everywhere ?? JOB_DEFAULTS.everywhere,
    weight: definition.weight ?? JOB_DEFAULTS.weight,
    task: resolveTask(definition),
    secrets: { ...definition.secrets } as Record<string, SecretSource>,
    timeoutMs: optionalMs(definition.timeout),
    retries: resolveRetries(definition.retries),
    overlap,
    maxConcurrent:
      overlap.policy === 'allow' ? null : (definition.maxConcurrent ?? JOB_DEFAULTS.maxConcurrent),
    limits: [...new Set(definition.limits)],
    misfire: resolveMisfire(definition.misfire),
    recovery: definition.recovery ?? JOB_DEFAULTS.recovery,
    paused,
    description: definition.description ?? '',
    labels: { ...definition.labels },
    history: {
      limit: definition.history?.limit ?? JOB_DEFAULTS.history.limit,
      maxAgeMs: milliseconds(definition.history?.maxAge ?? JOB_DEFAULTS.history.maxAge),
    },
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
  const { startAt = null, endAt = null, only = [], exclude = [] } = definition;
  const list = (items: string | readonly string[]): readonly string[] =>
    typeof items === 'string' ? [items] : items;
  return { startAt, endAt, only: list(only), exclude: list(exclude) };
}

/** A default gives way to what was written: `maxDelay: 5s` alone shortens the delay, `delay: 1h` alone lifts the cap. */
function resolveRetries(retries: JobDefinition['retries'] = {}): RetryPolicy {
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

function resolveMisfire(misfire: JobDefinition['misfire'] = {}): MisfireRule {
  const written = typeof misfire === 'string' ? { policy: misfire } : misfire;
  const { policy, window, limit } = { ...JOB_DEFAULTS.misfire, ...written };
  return { policy, windowMs: milliseconds(window), limit };
}

function resolveOverlap(overlap: JobDefinition['overlap'] = {}): OverlapRule {
  const written = typeof overlap === 'string' ? { policy: overlap } : overlap;
  return { ...JOB_DEFAULTS.overlap, ...written };
}

/** A valid definition has exactly one of the three. */
function resolveTask(definition: JobDefinition): Task {
  const { command, http, handler } = definition;
  if (http !== undefined) {
    const written = typeof http === 'string' ? { url: http } : http;
    return {
      kind: 'http',
      url: written.url,
      method: written.method ?? JOB_DEFAULTS.http.method,
      headers: { ...written.headers },
      body: written.body ?? null,
      expectStatus: [...(written.expectStatus ?? ['2xx'])],
    };
  }
  if (handler !== undefined) return { kind: 'handler', handler, payload: definition.payload ?? null };
  return {
    kind: 'command',
    command: command ?? '',
    env: { ...definition.env },
    cwd: definition.cwd ?? null,
    user: definition.user ?? null,
    group: definition.group ?? null,
    umask: definition.umask === undefined ? null : parseInt(definition.umask, 8),
    nice: definition.nice ?? null,
    stdin: definition.stdin ?? null,
    successExitCodes: [...(definition.successExitCodes ?? [0])],
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
