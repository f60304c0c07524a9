import { EtcronError } from '../errors.js';
import { singleKey } from '../etcd/store.js';
import { modifiedAt, put } from '../etcd/txn.js';
import { checkJobName, parseJobValue, quote, serializeDefinition, type Problem } from '../jobs/index.js';
import { MAX_TRIES, type OperationContext } from './context.js';

export interface PutJobOptions {
  /** Only where the definition in etcd is the one of this revision; 0: only where there is none. Anything otherwise. */
  readonly revision?: number;
}

export interface PutJobResult {
  readonly change: 'created' | 'changed' | 'unchanged';
  /** Of the definition as it stands in etcd now. */
  readonly revision: number;
}

/**
 * Puts the definition `text` (JSON or YAML) of one job. Nothing is written where it asks for what is there already. Which
 * set of files manages the job stays as it is. Rejects with ETCRON_JOB_NAME_INVALID, with ETCRON_JOB_INVALID and the
 * problems, and with ETCRON_CONFLICT when the job is not as `revision` says.
 */
export async function putJob(
  { store, keys }: OperationContext,
  name: string,
  text: string,
  { revision }: PutJobOptions = {},
): Promise<PutJobResult> {
  assertName(name);
  const parsed = parseJobValue(name, text);
  if (!parsed.ok) throw invalidJob(name, parsed.problems);
  const value = serializeDefinition(parsed.definition);
  const key = keys.job(name);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const [before] = (await store.range(singleKey(key))).kvs;
    const seen = before?.modRevision ?? 0;
    if (revision !== undefined && revision !== seen) throw changedMeanwhile(name, revision, seen);
    if (before && sameDefinition(name, before.value, value)) return { change: 'unchanged', revision: seen };
    const result = await store.txn({ compare: [modifiedAt(key, seen)], success: [put(key, value)] });
    if (result.succeeded) return { change: before ? 'changed' : 'created', revision: result.revision };
  }
  throw keepsChanging(name);
}

export function keepsChanging(name: string): EtcronError {
  return new EtcronError('ETCRON_CONFLICT', `others keep changing ${quote(name)}; it was left as it is`, {
    hint: 'Try again.',
    details: { name },
  });
}

/** The error for a definition with mistakes. `source`: where they stand. */
export function invalidJob(name: string, problems: readonly Problem[]): EtcronError {
  return new EtcronError('ETCRON_JOB_INVALID', `the definition of ${quote(name)} has mistakes`, {
    hint: 'Nothing was written. Mend it and try again.',
    details: { name, problems: problems.map((problem) => ({ ...problem, source: name })) },
  });
}

/** `revision` was expected, `found` is there (0: none). */
export function changedMeanwhile(name: string, revision: number, found: number): EtcronError {
  const what =
    revision === 0
      ? `there is a job ${quote(name)} already`
      : found === 0
        ? `somebody else deleted ${quote(name)} in the meantime`
        : `somebody else changed ${quote(name)} in the meantime`;
  return new EtcronError('ETCRON_CONFLICT', `${what}; nothing was written`, {
    hint: 'Look at it as it is now, and try again.',
    details: { name, seenRevision: revision, revision: found },
  });
}

function assertName(name: string): void {
  const problem = checkJobName(name);
  if (problem === null) return;
  const { message, hint } = problem;
  throw new EtcronError('ETCRON_JOB_NAME_INVALID', message, {
    ...(hint === undefined ? {} : { hint: `${hint[0]!.toUpperCase()}${hint.slice(1)}.` }),
    details: { name },
  });
}

function sameDefinition(name: string, before: Buffer, after: string): boolean {
  const parsed = parseJobValue(name, before);
  return parsed.ok && serializeDefinition(parsed.definition) === after;
}
