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
  listOf,
  mapOf,
  mustBe,
  text,
  textMap,
  wholeNumber,
  yesOrNo,
  yesOrNoHint,
} from './schema-parts.js';

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const RESOURCE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const noNul = (value: string): string | null =>
  value.includes('\0') ? 'must not hold a NUL character' : null;

const plainText = (maxLength: number) => (value: string) => {
  if (value.length > maxLength) return `has ${value.length} characters, at most ${maxLength} are allowed`;
  return CONTROL_CHARACTER.test(value) ? 'must not hold control characters' : null;
};

const nonBlank = (maxLength: number) => (value: string) =>
  value.trim() === '' ? 'must not be empty' : plainText(maxLength)(value);

const absolutePath = (value: string): string | null => {
  if (!value.startsWith('/')) return `must be an absolute path, not ${quote(value)}`;
  return plainText(limits.MAX_PATH_LENGTH)(value);
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

const envName = (name: string): string | null => {
  if (!ENV_NAME.test(name)) {
    return 'is not a name for an environment variable\nuse letters, digits and "_", and do not begin with a digit';
  }
  return name.startsWith('ETCRON_') ? 'names that begin with ETCRON_ are set by etcron itself' : null;
};

/** The worker's own settings, the credentials for etcd among them, are not for jobs. */
const secretVariable = (name: string): string | null => {
  if (!ENV_NAME.test(name)) return `is not a name for an environment variable: ${quote(name)}`;
  return name.startsWith('ETCRON_') ? 'must not be one of the settings of the worker itself' : null;
};

const env = textMap(limits.MAX_ENV_NAMES, envName, noNul);

const labelName = (name: string): string | null =>
  LABEL_NAME.test(name) && name.length <= limits.MAX_LABEL_LENGTH
    ? null
    : 'is not a name for a label\nuse letters, digits, ".", "_", "/" and "-", and begin with a letter or a digit';

const labels = textMap(limits.MAX_LABELS, labelName, plainText(limits.MAX_LABEL_LENGTH));

const retries = fields(
  {
    attempts: wholeNumber(1, limits.MAX_ATTEMPTS).exactOptional(),
    delay: duration(0).exactOptional(),
    backoff: choice(['fixed', 'exponential']).exactOptional(),
    maxDelay: duration(0).exactOptional(),
    jitter: duration(0, limits.MAX_JITTER_MS).exactOptional(),
    exitCodes: listOf(wholeNumber(0, 255), limits.MAX_EXIT_CODES, 'a list of exit codes').exactOptional(),
    avoidLastWorker: yesOrNo().exactOptional(),
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

const labelValue = text('a string', plainText(limits.MAX_LABEL_LENGTH));

/** What a label of a worker may be: one value, one of several, or any (`*`). */
const wantedLabels = mapOf(
  labelName,
  z.union([labelValue, listOf(labelValue, limits.MAX_LABELS, 'a list of values')], {
    error: mustBe('a string or a list of strings'),
  }),
  limits.MAX_LABELS,
  'a map of labels',
);

const target = fields({
  with: wantedLabels.exactOptional(),
  without: wantedLabels.exactOptional(),
});

const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const url = text('a URL', (value) => {
  if (!/^https?:\/\//i.test(value)) return `must begin with http:// or https://, not ${quote(value)}`;
  return plainText(limits.MAX_PATH_LENGTH)(value);
});

const httpFields = fields({
  url,
  method: choice(HTTP_METHODS).exactOptional(),
  headers: textMap(
    limits.MAX_HEADERS,
    (name) => (HEADER_NAME.test(name) ? null : 'is not a name for a header'),
    plainText(limits.MAX_PATH_LENGTH),
  ).exactOptional(),
  body: text('a string', noNul).exactOptional(),
  expectStatus: listOf(
    text('a status', (value) =>
      /^[1-5](\d\d|xx)$/.test(value)
        ? null
        : `must be a status such as 204, or a class such as 2xx, not ${quote(value)}`,
    ),
    limits.MAX_STATUSES,
    'a list of statuses',
  ).exactOptional(),
});

const secretSource = fields({
  env: text('the name of a variable', secretVariable).exactOptional(),
  file: text('a string', absolutePath).exactOptional(),
}).superRefine(({ env: fromEnv, file }, context) => {
  if ((fromEnv === undefined) !== (file === undefined)) return;
  const message = 'must have either "env" (a variable of the worker) or "file" (a file of the worker)';
  context.addIssue({ code: 'custom', message });
});

const overlapPolicy = choice(['skip', 'allow', 'queue', 'replace']);

const overlapFields = fields({
  policy: overlapPolicy.exactOptional(),
  limit: wholeNumber(1, limits.MAX_QUEUE).exactOptional(),
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

const resourceName = (value: string): string | null =>
  RESOURCE_NAME.test(value)
    ? null
    : `is not a name: ${quote(value)}\nuse letters, digits, ".", "_" and "-", and begin with a letter or a digit`;

/** The name or the number of a user or a group. */
const account = (value: string): string | null =>
  /^([A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|\d{1,10})$/.test(value)
    ? null
    : `is not a name or number: ${quote(value)}`;

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
  maxRuns: wholeNumber(1, limits.MAX_RUNS).exactOptional(),
  removeAfter: duration(0).exactOptional(),
  startDeadline: duration(1_000).exactOptional(),
  target: target.exactOptional(),
  everywhere: yesOrNo().exactOptional(),
  weight: wholeNumber(1, limits.MAX_WEIGHT).exactOptional(),
  command: command.exactOptional(),
  http: z.union([url, httpFields], { error: mustBe('a URL or a map') }).exactOptional(),
  handler: text('a name', resourceName).exactOptional(),
  payload: z.unknown().exactOptional(),
  env: env.exactOptional(),
  secrets: mapOf(envName, secretSource, limits.MAX_SECRETS, 'a map of secrets').exactOptional(),
  cwd: text('a string', absolutePath).exactOptional(),
  user: text('a user', account).exactOptional(),
  group: text('a group', account).exactOptional(),
  umask: text('an octal number such as 027', (value) =>
    /^0?[0-7]{1,3}$/.test(value) ? null : `must be an octal number such as 027, not ${quote(value)}`,
  ).exactOptional(),
  nice: wholeNumber(-20, 19).exactOptional(),
  stdin: text('a string', noNul).exactOptional(),
  successExitCodes: listOf(
    wholeNumber(0, 255),
    limits.MAX_EXIT_CODES,
    'a list of exit codes',
  ).exactOptional(),
  timeout: duration(1).exactOptional(),
  retries: retries.exactOptional(),
  overlap: z
    .union([overlapPolicy, overlapFields], {
      error: mustBe('"skip", "allow", "queue", "replace" or a map'),
    })
    .exactOptional(),
  maxConcurrent: wholeNumber(1, limits.MAX_CONCURRENT).exactOptional(),
  limits: listOf(text('a name', resourceName), limits.MAX_LIMITS, 'a list of names').exactOptional(),
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
  Record<'' | 'target' | 'http' | 'retries' | 'overlap' | 'misfire' | 'paused' | 'history', readonly string[]>
> = {
  '': Object.keys(jobSchema.shape),
  target: Object.keys(target.shape),
  http: Object.keys(httpFields.shape),
  retries: Object.keys(retries.shape),
  overlap: Object.keys(overlapFields.shape),
  misfire: Object.keys(misfireFields.shape),
  paused: Object.keys(pauseFields.shape),
  history: Object.keys(history.shape),
};
