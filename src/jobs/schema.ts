/**
 * What a person may write about a job. Every field that is not named here is a mistake. Nothing is filled in: a parsed
 * definition says what its writer said, and defaults come in `resolve.ts`, so that a later version may change them.
 */
import { z } from 'zod';
import { parseDuration } from '../duration.js';
import { dayItemProblem, momentProblem } from '../schedule/index.js';
import * as limits from './limits.js';
import { quote } from './printable.js';
import {
  choice,
  duration,
  fields,
  mustBe,
  text,
  textMap,
  wholeNumber,
  yesOrNo,
  yesOrNoHint,
} from './schema-parts.js';

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const noNul = (value: string): string | null =>
  value.includes('\0') ? 'must not hold a NUL character' : null;

const plainText = (maxLength: number) => (value: string) => {
  if (value.length > maxLength) return `has ${value.length} characters, at most ${maxLength} are allowed`;
  return CONTROL_CHARACTER.test(value) ? 'must not hold control characters' : null;
};

const commandPart = text('a string', noNul);

const command = z.union(
  [
    text('a string', (value) => (value.trim() === '' ? 'must not be empty' : noNul(value))),
    z.array(commandPart, { error: mustBe('a string or a list of strings') }).superRefine((parts, context) => {
      const message =
        parts.length === 0 || parts[0] === ''
          ? 'must begin with the program to run'
          : parts.length > limits.MAX_COMMAND_PARTS
            ? `has ${parts.length} parts, at most ${limits.MAX_COMMAND_PARTS} are allowed`
            : null;
      if (message !== null) context.addIssue({ code: 'custom', message });
    }),
  ],
  { error: mustBe('a string or a list of strings') },
);

const env = textMap(
  limits.MAX_ENV_NAMES,
  (name) => {
    if (!ENV_NAME.test(name)) {
      return 'is not a name for an environment variable\nuse letters, digits and "_", and do not begin with a digit';
    }
    return name.startsWith('ETCRON_') ? 'names that begin with ETCRON_ are set by etcron itself' : null;
  },
  noNul,
);

const labels = textMap(
  limits.MAX_LABELS,
  (name) =>
    LABEL_NAME.test(name) && name.length <= limits.MAX_LABEL_LENGTH
      ? null
      : 'is not a name for a label\nuse letters, digits, ".", "_", "/" and "-", and begin with a letter or a digit',
  plainText(limits.MAX_LABEL_LENGTH),
);

const retries = fields(
  {
    attempts: wholeNumber(1, limits.MAX_ATTEMPTS).exactOptional(),
    delay: duration(0).exactOptional(),
    backoff: choice(['fixed', 'exponential']).exactOptional(),
    maxDelay: duration(0).exactOptional(),
  },
  (input) =>
    Number.isInteger(input)
      ? `write "retries: { attempts: ${String(input)} }", where attempts counts the first one too`
      : undefined,
).superRefine((value, context) => {
  const delayMs = parseDuration(value.delay ?? '0s') ?? 0;
  const maxDelayMs = parseDuration(value.maxDelay ?? value.delay ?? '0s') ?? 0;
  if (maxDelayMs < delayMs) {
    const message = `must not be shorter than the delay of ${value.delay}`;
    context.addIssue({ code: 'custom', path: ['maxDelay'], message });
  }
});

const misfirePolicy = choice(['once', 'skip', 'all']);

const misfireFields = fields({
  policy: misfirePolicy.exactOptional(),
  window: duration(0).exactOptional(),
  limit: wholeNumber(1, limits.MAX_MISFIRE_LIMIT).exactOptional(),
});

const history = fields({
  limit: wholeNumber(1, limits.MAX_HISTORY_LIMIT).exactOptional(),
  maxAge: duration(60_000).exactOptional(),
});

const nonBlank = (maxLength: number) => (value: string) =>
  value.trim() === '' ? 'must not be empty' : plainText(maxLength)(value);

const absolutePath = (value: string): string | null => {
  if (!value.startsWith('/')) return `must be an absolute path, not ${quote(value)}`;
  return plainText(limits.MAX_PATH_LENGTH)(value);
};

const expression = text('a string', nonBlank(limits.MAX_SCHEDULE_LENGTH));

const schedule = z.union(
  [
    expression,
    z.array(expression, { error: mustBe('a string or a list of strings') }).superRefine((list, context) => {
      const message =
        list.length === 0
          ? 'must not be empty'
          : list.length > limits.MAX_SCHEDULES
            ? `has ${list.length} expressions, at most ${limits.MAX_SCHEDULES} are allowed`
            : null;
      if (message !== null) context.addIssue({ code: 'custom', message });
    }),
  ],
  { error: mustBe('a string or a list of strings') },
);

const moment = text('a date or a time', momentProblem);

const dayItem = text('a date, a range of dates or a weekday', dayItemProblem);

const days = z.union(
  [
    dayItem,
    z
      .array(dayItem, { error: mustBe('a date, a weekday or a list of them') })
      .superRefine((list, context) => {
        if (list.length <= limits.MAX_DAY_ITEMS) return;
        const message = `has ${list.length} items, at most ${limits.MAX_DAY_ITEMS} are allowed`;
        context.addIssue({ code: 'custom', message });
      }),
  ],
  { error: mustBe('a date, a weekday or a list of them') },
);

const pauseFields = fields({
  reason: text('a string', nonBlank(limits.MAX_REASON_LENGTH)).exactOptional(),
  until: moment.exactOptional(),
});

const paused = z.union([yesOrNo(), pauseFields], {
  error: mustBe('true, false or a map', yesOrNoHint),
});

/** The order here is the order of the fields in the JSON that etcron writes. */
export const jobSchema = fields({
  schedule,
  timezone: text('a string', nonBlank(limits.MAX_SCHEDULE_LENGTH)).exactOptional(),
  startAt: moment.exactOptional(),
  endAt: moment.exactOptional(),
  only: days.exactOptional(),
  exclude: days.exactOptional(),
  jitter: duration(0, limits.MAX_JITTER_MS).exactOptional(),
  command,
  env: env.exactOptional(),
  cwd: text('a string', absolutePath).exactOptional(),
  timeout: duration(1).exactOptional(),
  retries: retries.exactOptional(),
  overlap: choice(['allow', 'skip']).exactOptional(),
  misfire: z
    .union([misfirePolicy, misfireFields], { error: mustBe('"once", "skip", "all" or a map') })
    .exactOptional(),
  recovery: choice(['rerun', 'abandon']).exactOptional(),
  paused: paused.exactOptional(),
  description: text('a string', plainText(limits.MAX_DESCRIPTION_LENGTH)).exactOptional(),
  labels: labels.exactOptional(),
  history: history.exactOptional(),
});

/** What stands under `defaults:` in a file: any field of a job, none of them required. */
export const jobDefaultsSchema = jobSchema.partial();

/** A job as its writer sees it: durations as text, only what was written. */
export type JobDefinition = z.output<typeof jobSchema>;

/** The fields of a job, and of each field that has fields of its own. */
export const FIELD_NAMES: Readonly<
  Record<'' | 'retries' | 'misfire' | 'paused' | 'history', readonly string[]>
> = {
  '': Object.keys(jobSchema.shape),
  retries: Object.keys(retries.shape),
  misfire: Object.keys(misfireFields.shape),
  paused: Object.keys(pauseFields.shape),
  history: Object.keys(history.shape),
};
