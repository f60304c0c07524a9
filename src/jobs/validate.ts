import type { z } from 'zod';
import { EtcronError, messageOf } from '../errors.js';
import { assertTimeZone, parseSchedule, type ScheduleOptions } from '../schedule/index.js';
import { fieldProblems, taskProblems } from './check-fields.js';
import { MAX_DEFINITION_BYTES, MAX_SCHEDULE_LENGTH, MAX_SCHEDULES } from './limits.js';
import { describeValue, quote } from './printable.js';
import type { LocalProblem, PathSegment } from './problem.js';
import { JOB_DEFAULTS, scheduleBounds } from './resolve.js';
import { FIELD_NAMES, jobDefaultsSchema, jobSchema, type JobDefinition } from './schema.js';
import { serializeDefinition } from './serialize.js';
import { unknownFieldHint } from './did-you-mean.js';

const ANY_NAME = 'any';

type Values = Readonly<Record<string, unknown>>;

/** Whether `value` is a map, as opposed to a list, a scalar or nothing. */
export function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The definition, or everything that is wrong with `value`: form, schedule and time zone at once. The name only matters
 * to what an `H` in the schedule stands for.
 */
export function validateDefinition(
  value: unknown,
  name = ANY_NAME,
): { ok: true; definition: JobDefinition } | { ok: false; problems: LocalProblem[] } {
  if (!isMap(value)) return { ok: false, problems: [notAMap(value, [])] };
  const written = withoutNulls(value);
  const parsed = jobSchema.safeParse(written);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, []));
  problems.push(...taskProblems(written));
  if (parsed.success) problems.push(...fieldProblems(parsed.data));
  problems.push(...scheduleProblems(name, written));
  if (parsed.success && problems.length === 0) problems.push(...boundsProblems(name, parsed.data));
  if (!parsed.success || problems.length > 0) return { ok: false, problems };

  const bytes = Buffer.byteLength(serializeDefinition(parsed.data));
  if (bytes <= MAX_DEFINITION_BYTES) return { ok: true, definition: parsed.data };
  const message = `has ${bytes} bytes as JSON, at most ${MAX_DEFINITION_BYTES} are allowed`;
  return {
    ok: false,
    problems: [{ code: 'ETCRON_JOB_INVALID', path: [], message, hint: 'put long scripts into a file' }],
  };
}

/** Everything that is wrong with the `defaults:` of a file; paths begin below `defaults`. */
export function validateDefaults(value: unknown): LocalProblem[] {
  if (!isMap(value)) return [notAMap(value, [])];
  const written = withoutNulls(value);
  const parsed = jobDefaultsSchema.safeParse(written);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, []));
  return [...problems, ...scheduleProblems(ANY_NAME, written)];
}

function notAMap(value: unknown, path: PathSegment[]): LocalProblem {
  return {
    code: 'ETCRON_JOB_INVALID',
    path,
    message: `must be a map of fields, not ${describeValue(value)}`,
  };
}

/** A field without a value counts as not written, which is also how a job drops what `defaults:` say. */
function withoutNulls(value: Values): Values {
  const written = keepWritten(value, FIELD_NAMES['']);
  for (const [key, field] of Object.entries(written)) {
    if (key !== '' && isMap(field) && Object.hasOwn(FIELD_NAMES, key)) {
      written[key] = keepWritten(field, FIELD_NAMES[key as keyof typeof FIELD_NAMES]);
    }
  }
  return written;
}

function keepWritten(value: Values, known: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(([key, field]) => field !== null || !known.includes(key)),
  );
}

function problemsOf(issue: z.core.$ZodIssue, above: readonly PathSegment[]): LocalProblem[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') {
    const owner = path.join('.');
    const known = Object.hasOwn(FIELD_NAMES, owner) ? FIELD_NAMES[owner as keyof typeof FIELD_NAMES] : [];
    return issue.keys.map((key) => ({
      code: 'ETCRON_JOB_INVALID',
      path: [...path, key],
      message: owner === '' ? 'is not a field of a job' : `is not a field of ${owner}`,
      hint: unknownFieldHint(key, known),
      atKey: true,
    }));
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives, the one that the value was meant for: its kind is right, something inside is wrong.
    const meant = issue.errors.find((issues) =>
      issues.every(({ path: inner, code }) => inner.length > 0 || code === 'unrecognized_keys'),
    );
    if (meant !== undefined) return meant.flatMap((inner) => problemsOf(inner, path));
    const word = issue.errors
      .flat()
      .find(({ code, message }) => code === 'invalid_value' && message.includes('\n'));
    if (word !== undefined) return [problem(path, word.message)];
  }
  if (issue.code === 'invalid_key') {
    return [{ ...problem(path, issue.issues[0]?.message ?? issue.message), atKey: true }];
  }
  return [problem(path, issue.message)];
}

function problem(path: readonly PathSegment[], message: string): LocalProblem {
  const [line = message, hint] = message.split('\n');
  return { code: 'ETCRON_JOB_INVALID', path, message: line, ...(hint === undefined ? {} : { hint }) };
}

/** Judged apart from the schema, so that a wrong schedule is reported beside other problems. */
function scheduleProblems(job: string, written: Values): LocalProblem[] {
  const timeZone = usableText(written.timezone);
  const problems: LocalProblem[] = [];
  if (timeZone !== null) attempt(['timezone'], problems, () => assertTimeZone(timeZone));
  const zone = problems.length > 0 || timeZone === null ? 'UTC' : timeZone;
  for (const { text, path } of writtenSchedules(written.schedule)) {
    attempt(path, problems, () => {
      if (!parseSchedule(text, zone, { job }).neverFires) return;
      const message = `the schedule ${quote(text)} never comes due`;
      throw new EtcronError('ETCRON_SCHEDULE_INVALID', message, { hint: 'no calendar has such a day' });
    });
  }
  return problems;
}

/** Bounds and days that leave nothing of a schedule that is due otherwise. */
function boundsProblems(job: string, definition: JobDefinition): LocalProblem[] {
  const bounds = scheduleBounds(definition);
  const { startAt, endAt, only, exclude } = bounds;
  if (startAt === null && endAt === null && only.length + exclude.length === 0) return [];
  const zone = definition.timezone ?? JOB_DEFAULTS.timezone;
  const neverFires = (options: ScheduleOptions): boolean =>
    parseSchedule(definition.schedule, zone, { job, ...options }).neverFires;
  if (!neverFires(bounds)) return [];
  const field = neverFires({ startAt, endAt }) ? (endAt === null ? 'startAt' : 'endAt') : null;
  const path = [field ?? (only.length > 0 ? 'only' : 'exclude')];
  const hint = 'look for the due times that it should leave with "etcron next"';
  const message = 'leaves no due time of the schedule';
  return [{ code: 'ETCRON_SCHEDULE_INVALID', path, message, hint }];
}

/** The expressions that are worth judging, and where they stand. */
function writtenSchedules(schedule: unknown): { text: string; path: PathSegment[] }[] {
  const isList = Array.isArray(schedule) && schedule.length <= MAX_SCHEDULES;
  const items: readonly unknown[] = isList ? schedule : [schedule];
  return items.flatMap((item, index) => {
    const text = usableText(item);
    return text === null ? [] : [{ text, path: isList ? ['schedule', index] : ['schedule'] }];
  });
}

/** Whether it is worth judging: anything else is a finding of the schema already. */
function usableText(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' && value.length <= MAX_SCHEDULE_LENGTH
    ? value
    : null;
}

function attempt(path: PathSegment[], problems: LocalProblem[], judge: () => void): void {
  try {
    judge();
  } catch (error) {
    const code = error instanceof EtcronError ? error.code : 'ETCRON_JOB_INVALID';
    const hint = error instanceof EtcronError ? error.hint : undefined;
    problems.push({
      code,
      path,
      message: messageOf(error),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
