import { parseDuration } from '../duration.js';
import { scheduleFingerprint } from '../schedule/index.js';
import type { Job, MisfireRule, RetryPolicy } from './job.js';
import { resolvePause, startOf } from './pause.js';
import type { JobDefinition } from './schema.js';

/** What holds for a field that a definition does not mention. */
export const JOB_DEFAULTS = {
  timezone: 'UTC',
  retries: { attempts: 1, delay: '10s', backoff: 'exponential', maxDelay: '10m' },
  overlap: 'skip',
  misfire: { policy: 'once', window: '24h', limit: 100 },
  recovery: 'rerun',
  paused: false,
  history: { limit: 100, maxAge: '30d' },
} as const satisfies Partial<JobDefinition>;

/** The job that a valid definition stands for. */
export function resolveJob(name: string, definition: JobDefinition): Job {
  const timeZone = definition.timezone ?? JOB_DEFAULTS.timezone;
  const overlap = definition.overlap ?? JOB_DEFAULTS.overlap;
  const bounds = scheduleBounds(definition);
  const jitterMs = definition.jitter === undefined ? 0 : milliseconds(definition.jitter);
  const paused = resolvePause(definition.paused ?? JOB_DEFAULTS.paused);
  return {
    name,
    schedule: definition.schedule,
    timezone: timeZone,
    ...bounds,
    jitterMs,
    command: definition.command,
    env: { ...definition.env },
    cwd: definition.cwd ?? null,
    timeoutMs: definition.timeout === undefined ? null : milliseconds(definition.timeout),
    retries: resolveRetries(definition.retries),
    overlap,
    maxConcurrent: overlap === 'skip' ? 1 : null,
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
  const { attempts, delay, backoff, maxDelay } = JOB_DEFAULTS.retries;
  const capMs = retries.maxDelay === undefined ? Infinity : milliseconds(retries.maxDelay);
  const delayMs =
    retries.delay === undefined ? Math.min(milliseconds(delay), capMs) : milliseconds(retries.delay);
  return {
    attempts: retries.attempts ?? attempts,
    delayMs,
    backoff: retries.backoff ?? backoff,
    maxDelayMs: retries.maxDelay === undefined ? Math.max(milliseconds(maxDelay), delayMs) : capMs,
  };
}

function resolveMisfire(misfire: JobDefinition['misfire'] = {}): MisfireRule {
  const written = typeof misfire === 'string' ? { policy: misfire } : misfire;
  const { policy, window, limit } = { ...JOB_DEFAULTS.misfire, ...written };
  return { policy, windowMs: milliseconds(window), limit };
}

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === null) throw new RangeError(`not a duration: ${duration}`);
  return ms;
}
