/** The settings of the connection to etcd: one table, from which flags, variables, file keys and docs take their names. */
import { z } from 'zod';
import { DURATION_HELP, parseDuration } from '../duration.js';
import { DEFAULT_QUOTA_BYTES } from './database-size.js';
import { parseEndpoint, type EndpointAddress } from './endpoint-address.js';

const endpoint = z.string().transform((text, context): EndpointAddress => {
  const parsed = parseEndpoint(text);
  if (!('problem' in parsed)) return parsed;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

const endpoints = z.preprocess(
  // A flag or a variable holds them separated by commas; a file may, too.
  (value) => (typeof value === 'string' ? value.split(',') : value),
  z
    .array(endpoint, { error: 'must be a list of endpoints' })
    .min(1, { error: 'needs at least one endpoint' }),
);

const prefix = z.string({ error: 'must be text' }).regex(/^(\/[A-Za-z0-9._-]+)+$/, {
  error:
    'must begin with "/", not end with it, and hold letters, digits, ".", "_" and "-" only, such as /cron',
});

const duration = z.string({ error: DURATION_HELP }).transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== null && ms >= 100 && ms <= 600_000) return ms;
  context.addIssue({ code: 'custom', message: ms === null ? DURATION_HELP : 'must be from 100ms to 10m' });
  return z.NEVER;
});

const BYTES_HELP = 'must be a number of bytes from 1 MiB (1048576) on, as etcd has it';

const bytes = z.union([z.number(), z.string()], { error: BYTES_HELP }).transform((given, context) => {
  const number = typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given;
  if (Number.isSafeInteger(number) && Number(number) >= 2 ** 20) return Number(number);
  context.addIssue({ code: 'custom', message: BYTES_HELP });
  return z.NEVER;
});

const text = z.string({ error: 'must be text' }).min(1, { error: 'is empty' });

export interface Setting<T = unknown> {
  /** With two dashes, on the command line. */
  readonly flag: string;
  readonly variable: string;
  readonly placeholder: string;
  readonly description: string;
  readonly schema: z.ZodType<T>;
  readonly defaultText?: string;
}

function setting<T>(
  flag: string,
  placeholder: string,
  description: string,
  schema: z.ZodType<T>,
  defaultText?: string,
): Setting<T> {
  const variable = `ETCRON_${flag.toUpperCase().replaceAll('-', '_')}`;
  const base = { flag: `--${flag}`, variable, placeholder, description, schema };
  return defaultText === undefined ? base : { ...base, defaultText };
}

/** By their key under `etcd:` in the configuration file. */
export const CONNECTION_SETTINGS = {
  endpoints: setting(
    'endpoints',
    '<list>',
    'etcd endpoints, separated by commas',
    endpoints,
    '127.0.0.1:2379',
  ),
  prefix: setting('prefix', '<key>', 'the key below which everything lies', prefix, '/cron'),
  cacert: setting('cacert', '<file>', 'certificates of the authorities that etcd is verified by, PEM', text),
  cert: setting('cert', '<file>', 'client certificate, PEM', text),
  key: setting('key', '<file>', 'private key of the client certificate, PEM', text),
  user: setting('user', '<name>', 'etcd user', text),
  password: setting('password', '<text>', 'password of the user; prefer a file or a variable', text),
  passwordFile: setting('password-file', '<file>', 'file that holds the password of the user', text),
  dialTimeout: setting('dial-timeout', '<duration>', 'how long a connection may take', duration, '3s'),
  callTimeout: setting(
    'call-timeout',
    '<duration>',
    'how long a call may take, fail-over included',
    duration,
    '3s',
  ),
  quotaBytes: setting(
    'quota-bytes',
    '<number>',
    'what etcd has as its --quota-backend-bytes; etcron warns when the database fills 80 % of it',
    bytes,
    String(DEFAULT_QUOTA_BYTES),
  ),
} as const;

export type ConnectionSetting = keyof typeof CONNECTION_SETTINGS;

/** The flags of a command line, by setting, as text. */
export type ConnectionFlags = Partial<Record<ConnectionSetting, string>>;
