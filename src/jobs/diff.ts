/** What `apply` would change: the jobs that files ask for against the values that stand in etcd. */
import { parseJobValue } from './parse-job.js';
import type { Problem } from './problem.js';
import type { JobDefinition } from './schema.js';
import { canonicalDefinition, serializeDefinition } from './serialize.js';

export interface FieldChange {
  /** Such as `retries.delay` or `env.TARGET`. */
  readonly path: string;
  /** Undefined when the field was not there. */
  readonly before: unknown;
  /** Undefined when the field goes away. */
  readonly after: unknown;
}

export interface JobChange {
  readonly kind: 'create' | 'update' | 'unchanged' | 'delete';
  readonly name: string;
  /** Null when there was no such job, or when its value is broken: then `currentProblems` says why. */
  readonly before: JobDefinition | null;
  /** What is to be written; null for a delete. */
  readonly after: JobDefinition | null;
  readonly fields: readonly FieldChange[];
  readonly currentProblems: readonly Problem[];
  /** The job is paused, the files do not say whether it should be, and so it stays paused. */
  readonly staysPaused: boolean;
}

export interface DiffOptions {
  /** Which of the jobs that no file asks for are deleted. Default: none; they are left alone and not listed. */
  prune?: (name: string) => boolean;
}

/**
 * One change for each desired job, plus deletes with `prune`, sorted by name. A value that means the same in other words
 * (YAML or JSON, another order of keys) is `unchanged`. `paused` is a switch for operators as well: a definition that
 * does not mention it leaves a pause in place.
 */
export function diffJobs(
  desired: ReadonlyMap<string, JobDefinition>,
  current: ReadonlyMap<string, { readonly text: string | Uint8Array }>,
  options: DiffOptions = {},
): JobChange[] {
  const pruned = options.prune === undefined ? [] : [...current.keys()].filter(options.prune);
  const names = new Set([...desired.keys(), ...pruned]);
  return [...names].sort().map((name) => changeOf(name, desired.get(name), current.get(name)?.text));
}

function changeOf(
  name: string,
  desired: JobDefinition | undefined,
  text: string | Uint8Array | undefined,
): JobChange {
  const parsed = text === undefined ? null : parseJobValue(name, text);
  const before = parsed?.ok === true ? parsed.definition : null;
  const currentProblems = parsed?.ok === false ? parsed.problems : [];
  const staysPaused =
    desired !== undefined && desired.paused === undefined && (before?.paused ?? false) !== false;
  const after =
    desired === undefined ? null : staysPaused ? { ...desired, paused: before!.paused! } : desired;
  const fields = diffFields(before, after);
  const kind =
    after === null
      ? 'delete'
      : text === undefined
        ? 'create'
        : isSame(before, after)
          ? 'unchanged'
          : 'update';
  return { kind, name, before, after, fields, currentProblems, staysPaused };
}

function isSame(before: JobDefinition | null, after: JobDefinition): boolean {
  return before !== null && serializeDefinition(before) === serializeDefinition(after);
}

function diffFields(before: JobDefinition | null, after: JobDefinition | null): FieldChange[] {
  const old = leaves(before);
  const next = leaves(after);
  const paths = new Set([...next.keys(), ...old.keys()]);
  return [...paths]
    .map((path) => ({ path, before: old.get(path), after: next.get(path) }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

/** Scalars and lists by their paths; maps are taken apart. */
function leaves(definition: JobDefinition | null): Map<string, unknown> {
  const found = new Map<string, unknown>();
  if (definition !== null) takeApart(canonicalDefinition(definition), '', found);
  return found;
}

function takeApart(value: object, above: string, found: Map<string, unknown>): void {
  for (const [name, part] of Object.entries(value) as [string, unknown][]) {
    const path = above + name;
    const isMap = typeof part === 'object' && part !== null && !Array.isArray(part);
    if (isMap && Object.keys(part).length > 0) takeApart(part, `${path}.`, found);
    else found.set(path, part);
  }
}
