/**
 * What a worker may run, as its own operator says in a file on its machine. Whoever writes job definitions into etcd cannot
 * change it. What a policy does not name is forbidden.
 */
import { z } from 'zod';

const MAX_PATTERNS = 500;
const MAX_PATTERN_LENGTH = 500;

// eslint-disable-next-line no-control-regex
const PRINTABLE = /^[^\u0000-\u001f\u007f]+$/;

const text = (what: string) =>
  z
    .string({ error: `must be ${what}` })
    .max(MAX_PATTERN_LENGTH, { error: `must be at most ${MAX_PATTERN_LENGTH} characters` })
    .regex(PRINTABLE, { error: `must be ${what}` });

const list = (item: z.ZodType<string>, what: string) =>
  z
    .array(item, { error: `must be a list of ${what}` })
    .max(MAX_PATTERNS, { error: `must be at most ${MAX_PATTERNS} ${what}` });

const path = text('an absolute path').refine(
  (value) => value.startsWith('/') && !/(^|\/)\.{1,2}(\/|$)|\/\//.test(value),
  {
    error: 'must be an absolute path without "." and "..", in which * stands for a part and ** for any rest',
  },
);
const host = text('a host name').regex(/^(\*\.)?[^\s/:@*]+$|^\*$|^\[[0-9a-fA-F:.]+\]$/, {
  error: 'must be a host name, an address, "*.example.com" or "*", without scheme and port',
});
const name = text('a name');
const yesOrNo = z.boolean({ error: 'must be true or false' });

export const policySchema = z.strictObject({
  /** Names of jobs; without it all. */
  jobs: list(name, 'names of jobs').exactOptional(),
  /** Without it no commands. */
  commands: z
    .strictObject(
      {
        programs: list(path, 'paths').default([]),
        /** Commands that are one text, which `/bin/sh` reads: with it any program. */
        shell: yesOrNo.default(false),
        /** Variables that a job may set: with some of them a program does something else. */
        env: list(name, 'names of variables').default([]),
        cwd: list(path, 'paths').default([]),
        /** Whom a job may ask to be, as it writes it. */
        users: list(name, 'users').default([]),
        groups: list(name, 'groups').default([]),
        /** A command may run as the worker itself. */
        ownUser: yesOrNo.default(true),
      },
      { error: 'must be a map' },
    )
    .exactOptional(),
  /** Without it no requests. */
  http: z.strictObject({ hosts: list(host, 'host names') }, { error: 'must be a map' }).exactOptional(),
  /** Without it no handlers. */
  handlers: list(name, 'names of handlers').exactOptional(),
  /** Without it no secrets. */
  secrets: z
    .strictObject(
      {
        env: list(name, 'names of variables').default([]),
        files: list(path, 'paths').default([]),
      },
      { error: 'must be a map' },
    )
    .exactOptional(),
});

export type Policy = z.output<typeof policySchema>;

const labels = z.record(z.string(), z.string({ error: 'must be text' }), { error: 'must be a map' });

/** The file also holds labels, which no setting of the worker can change. */
export const policyFileSchema = policySchema.extend({ labels: labels.exactOptional() });
