/** The settings of a worker: one table, from which flags, variables, keys of the configuration file and docs take their names. */
import { z } from 'zod';
import { isAbsolute } from 'node:path';
import { DURATION_HELP, formatDuration, parseDuration } from '../duration.js';
import { formatSize, parseSize, SIZE_HELP } from '../size.js';
import type { LogLevel } from '../telemetry/logger.js';

export interface WorkerSetting<T = unknown> {
  /** With two dashes, on the command line. */
  readonly flag: string;
  readonly variable: string;
  readonly placeholder: string;
  readonly description: string;
  readonly schema: z.ZodType<T>;
  readonly defaultText: string;
  /** Seldom needed; has a heading of its own in the help. */
  readonly tuning: boolean;
}

const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] as const satisfies LogLevel[];
const WORKER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

const name = z.string({ error: 'must be text' }).regex(WORKER_NAME, {
  error: 'must be letters, digits, ".", "_" and "-", beginning with a letter or a digit, 100 at most',
});

function duration(minMs: number, maxMs: number) {
  return z.string({ error: DURATION_HELP }).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    const range = `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
    context.addIssue({ code: 'custom', message: ms === null ? DURATION_HELP : range });
    return z.NEVER;
  });
}

function size(minBytes: number, maxBytes: number) {
  return z.string({ error: SIZE_HELP }).transform((text, context) => {
    const bytes = parseSize(text);
    if (bytes !== null && bytes >= minBytes && bytes <= maxBytes) return bytes;
    const range = `must be from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`;
    context.addIssue({ code: 'custom', message: bytes === null ? SIZE_HELP : range });
    return z.NEVER;
  });
}

const folderOrOff = z
  .string({ error: 'must be an absolute path, or off' })
  .refine((text) => text === 'off' || isAbsolute(text), { error: 'must be an absolute path, or off' });

function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  const number = z.int({ error }).min(min, { error }).max(max, { error });
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
    number,
  );
}

function oneOf<const Word extends string>(words: readonly Word[]) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}

/** `key=value` texts: a list from flags, separated by commas in a variable; a file holds a map. */
const labels = z.preprocess(
  (value) => {
    if (typeof value === 'string') return toMap(value.split(','));
    return Array.isArray(value) ? toMap(value) : value;
  },
  z.record(z.string().regex(LABEL_NAME), z.string().max(256), {
    error: 'must be key=value, with a key of letters, digits, ".", "_", "/" and "-"',
  }),
);

/** Undefined, which the schema refuses, when one of them is no pair. */
function toMap(pairs: readonly unknown[]): Record<string, string> | undefined {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const [, key, value] = /^\s*([^=]+)=(.*?)\s*$/s.exec(String(pair)) ?? [];
    if (key === undefined || value === undefined) return undefined;
    map[key] = value;
  }
  return map;
}

function setting<T>(
  [flag, placeholder]: readonly [string, string],
  description: string,
  schema: z.ZodType<T>,
  defaultText: string,
  tuning = false,
): WorkerSetting<T> {
  const variable = `ETCRON_${flag.toUpperCase().replaceAll('-', '_')}`;
  return { flag: `--${flag}`, variable, placeholder, description, schema, defaultText, tuning };
}

/** `off`, `:8470`, `127.0.0.1:8470`, `[::1]:8470`. */
const listenAddress = z
  .string({ error: 'must be an address such as 127.0.0.1:8470, or off' })
  .transform((text, context) => {
    if (text === 'off') return 'off' as const;
    const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text) ?? [];
    if (port !== undefined && Number(port) <= 65_535)
      return { host: v6 ?? (name === undefined || name === '' ? '0.0.0.0' : name), port: Number(port) };
    context.addIssue({ code: 'custom', message: 'must be an address such as 127.0.0.1:8470, or off' });
    return z.NEVER;
  });

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be a URL such as https://worker-1.example:8470' })
  .transform((text) => text.replace(/\/+$/, ''));

const file = z
  .string({ error: 'must be the path of a file' })
  .min(1, { error: 'must be the path of a file' });

const yesOrNo = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'must be true or false' }),
);

const SECOND = 1_000;
const HOUR = 3_600_000;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** By their key under `worker:` in the configuration file. */
export const WORKER_SETTINGS = {
  name: setting(['name', '<name>'], 'name of this worker; a restart keeps it', name, 'the host name'),
  capacity: setting(['capacity', '<number>'], 'how many runs at once', wholeNumber(1, 100_000), '64'),
  labels: {
    ...setting(['label', '<key=value>'], 'a label; repeatable', labels, 'none'),
    variable: 'ETCRON_LABELS',
  },
  leaseTtl: setting(
    ['lease-ttl', '<duration>'],
    'after this long without a sign of life a worker counts as dead',
    duration(2 * SECOND, 600 * SECOND),
    '10s',
  ),
  drainGrace: setting(
    ['drain-grace', '<duration>'],
    'how long a stop waits for running commands before it ends them',
    duration(0, 24 * HOUR),
    '30s',
  ),
  killGrace: setting(
    ['kill-grace', '<duration>'],
    'from SIGTERM to SIGKILL, when a command is ended',
    duration(0, HOUR),
    '10s',
  ),
  logLevel: setting(['log-level', '<level>'], LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'info'),
  logFormat: setting(
    ['log-format', '<format>'],
    'json or pretty',
    oneOf(['json', 'pretty']),
    'pretty on a terminal, else json',
  ),
  policy: setting(
    ['policy', '<file>'],
    'a file that says what this worker may run, whatever stands in etcd',
    file,
    'none: everything',
  ),
  outputDir: setting(
    ['output-dir', '<folder>'],
    'where the whole output of runs is kept: an absolute path, or off',
    folderOrOff,
    '~/.local/state/etcron/output',
  ),
  outputLimit: setting(
    ['output-limit', '<size>'],
    'how much output is kept in all, such as 5GiB; the oldest goes first',
    size(MIB, 1024 * 1024 * GIB),
    '1GiB',
  ),
  outputMaxAge: setting(
    ['output-max-age', '<duration>'],
    'how long output is kept',
    duration(60 * SECOND, 3_650 * 24 * HOUR),
    '14d',
  ),
  outputRunLimit: setting(
    ['output-run-limit', '<size>'],
    'how much output of one attempt is kept; of a longer one the beginning and the end',
    size(MIB, 1024 * GIB),
    '32MiB',
  ),
  listen: setting(
    ['listen', '<address>'],
    'where the HTTP API and the page are: host:port, or off',
    listenAddress,
    '127.0.0.1:8470, or the next free port',
  ),
  advertise: setting(
    ['advertise', '<url>'],
    'the URL by which other workers reach this API',
    httpUrl,
    'made of the address',
  ),
  apiCert: setting(['api-cert', '<file>'], 'certificate of the API, PEM; makes it HTTPS', file, 'none'),
  apiKey: setting(['api-key', '<file>'], 'key of that certificate, PEM', file, 'none'),
  apiClientCa: setting(
    ['api-client-ca', '<file>'],
    'lets only those ask the API who have a certificate of this authority, PEM',
    file,
    'none: nobody needs one',
  ),
  apiPeerCa: setting(
    ['api-peer-ca', '<file>'],
    'the authorities by which the certificates of other workers are verified, PEM',
    file,
    "the system's, and the root in the file of apiCert",
  ),
  insecureHttp: setting(
    ['insecure-http', ''],
    'allow clear HTTP beyond this machine, where TLS ends elsewhere',
    yesOrNo,
    'false',
  ),
  horizon: setting(
    ['horizon', '<duration>'],
    'how far ahead the leader plans; longer than the lease TTL',
    duration(2 * SECOND, HOUR),
    '15s, or 1.5 lease TTLs',
    true,
  ),
  claimLead: setting(
    ['claim-lead', '<duration>'],
    'how long before its due time a firing is claimed',
    duration(0, 60 * SECOND),
    '500ms',
    true,
  ),
  stagger: setting(
    ['stagger', '<duration>'],
    'how much later the next worker in order tries to claim',
    duration(1, 10 * SECOND),
    '100ms',
    true,
  ),
} as const;

export type WorkerSettingName = keyof typeof WORKER_SETTINGS;

/** As commander parsed them: text, and a list for `--label`. */
export type WorkerFlags = Readonly<Partial<Record<Exclude<WorkerSettingName, 'labels'>, string>>> & {
  readonly label?: readonly string[];
  /** False with `--no-watchdog`. */
  readonly watchdog?: boolean;
};
