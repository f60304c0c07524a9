import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { SecretSource } from '../jobs/index.js';
import { Mask } from './mask.js';
import type { StartFailure } from './start-failure.js';

/** A file with more is no secret but a mistake. */
export const MAX_SECRET_BYTES = 64 * 1024;

export type Secrets =
  | { readonly ok: true; readonly values: Readonly<Record<string, string>>; readonly mask: Mask }
  | { readonly ok: false; readonly failure: StartFailure };

/**
 * Reads the secrets of a job where this worker has them, now: a file that was changed counts from the next attempt on. Files
 * are read in one go, so they have to lie on a disk or in memory, as those of a container or of systemd do. A failure names
 * the variable or file, never what is in it.
 */
export function readSecrets(
  sources: Readonly<Record<string, SecretSource>>,
  workerEnv: Readonly<Record<string, string | undefined>> = process.env,
): Secrets {
  const values: Record<string, string> = {};
  for (const [name, source] of Object.entries(sources)) {
    const read = 'env' in source ? readVariable(source.env, workerEnv) : readFile(source.file);
    if ('problem' in read) {
      const message = `the secret ${name} cannot be read: ${read.problem}`;
      return { ok: false, failure: { message, hint: read.hint } };
    }
    values[name] = read.value;
  }
  return { ok: true, values, mask: new Mask(Object.values(values)) };
}

type Read = { readonly value: string } | { readonly problem: string; readonly hint: string };

const SET_IT = 'Set it where the worker is started, on every worker that may run the job.';
const WRITE_IT =
  'Put it on every worker that may run the job, readable for the user that the worker runs as.';

function readVariable(name: string, env: Readonly<Record<string, string | undefined>>): Read {
  const value = env[name];
  if (value === undefined) return { problem: `this worker has no variable ${name}`, hint: SET_IT };
  if (value === '') return { problem: `the variable ${name} of this worker is empty`, hint: SET_IT };
  return { value };
}

function readFile(path: string): Read {
  let descriptor: number;
  try {
    // A named pipe without a writer must not keep the worker waiting.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { problem: `the file ${path} ${whyNot(error)}`, hint: WRITE_IT };
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { problem: `${path} is not a file`, hint: WRITE_IT };
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readSync(descriptor, bytes);
    if (length > MAX_SECRET_BYTES) {
      return { problem: `the file ${path} has more than ${MAX_SECRET_BYTES / 1024} KiB`, hint: WRITE_IT };
    }
    return textOf(path, bytes.subarray(0, length));
  } catch (error) {
    return { problem: `the file ${path} ${whyNot(error)}`, hint: WRITE_IT };
  } finally {
    closeSync(descriptor);
  }
}

function textOf(path: string, bytes: Uint8Array): Read {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { problem: `the file ${path} is not text in UTF-8`, hint: 'Write it in base64, for example.' };
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') return { problem: `the file ${path} is empty`, hint: WRITE_IT };
  if (value.includes('\0')) return { problem: `the file ${path} holds a NUL character`, hint: WRITE_IT };
  return { value };
}

function whyNot(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist on this worker';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this worker';
  return `cannot be read (${code})`;
}
