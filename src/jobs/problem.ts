import type { ErrorCode } from '../errors.js';
import { printable } from './printable.js';

/** One finding about a text that a person wrote: where, what, and what to do. Never thrown; always listed. */
export interface Problem {
  readonly code: ErrorCode;
  /** The place inside the definition or the file, such as `retries.delay`; empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
  /** 1-based, and known whenever a text was parsed. */
  readonly line?: number;
  readonly column?: number;
  /** The file the problem lies in, where there is one. */
  readonly source?: string;
}

export type PathSegment = string | number;

/** A problem that knows its place in the data, not yet in the text. */
export interface LocalProblem {
  readonly code: ErrorCode;
  readonly path: readonly PathSegment[];
  readonly message: string;
  readonly hint?: string;
  /** An offset in the text, where that is known better than by the path. */
  readonly offset?: number;
  /** It is about the last name of the path, not about the value under that name. */
  readonly atKey?: boolean;
}

const PLAIN_KEY = /^[A-Za-z0-9_-]{1,128}$/;
const MAX_KEY_LENGTH = 128;

/** `['command', 2]` → `command[2]`, `['env', 'A B']` → `env["A B"]`. */
export function formatPath(path: readonly PathSegment[]): string {
  return path
    .map((segment, index) => {
      if (typeof segment === 'number') return `[${segment}]`;
      if (PLAIN_KEY.test(segment)) return index === 0 ? segment : `.${segment}`;
      const shown = segment.length > MAX_KEY_LENGTH ? `${segment.slice(0, MAX_KEY_LENGTH)}…` : segment;
      return `[${printable(JSON.stringify(shown))}]`;
    })
    .join('');
}

/**
 * One readable line, such as `jobs.yaml:12:5 jobs.backup.retries.delay: must be a duration, not the number 5 (add a
 * unit: "5s")`. `source` replaces the problem's own: for a value in etcd, its key.
 */
export function formatProblem(problem: Problem, source: string | undefined = problem.source): string {
  const position = problem.line === undefined ? '' : `${problem.line}:${problem.column ?? 1}`;
  const place = [source === undefined ? '' : printable(source), position]
    .filter((part) => part !== '')
    .join(':');
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`;
  const line = `${path}${problem.message}${hint}`;
  return place === '' ? line : problem.path === '' ? `${place}: ${line}` : `${place} ${line}`;
}
