import type { Problem } from './problem.js';
import { quote } from './printable.js';

/** Job names double as etcd key parts, file names and URL parts. */
export const JOB_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The problem with a job's name, or null when it is a good one. */
export function checkJobName(name: string): Problem | null {
  if (JOB_NAME_PATTERN.test(name)) return null;
  const message =
    name === ''
      ? 'the name of a job must not be empty'
      : name.length > 128
        ? `the name of a job has at most 128 characters, this one has ${name.length}`
        : `${quote(name)} is not a job name`;
  return {
    code: 'ETCRON_JOB_NAME_INVALID',
    path: '',
    message,
    hint: 'use letters, digits, ".", "_" and "-", and begin with a letter or a digit',
  };
}
