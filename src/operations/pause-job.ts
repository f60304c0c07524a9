import { EtcronError } from '../errors.js';
import { modifiedAt, put } from '../etcd/txn.js';
import {
  isPausedForGood,
  parseJobValue,
  quote,
  serializeDefinition,
  type JobDefinition,
} from '../jobs/index.js';
import { momentMs } from '../schedule/moment-ms.js';
import { timeText } from '../time-text.js';
import { MAX_TRIES, type OperationContext } from './context.js';
import { brokenJob, findJob } from './find-job.js';
import { changedMeanwhile, keepsChanging } from './put-job.js';

export interface PauseOptions {
  readonly reason?: string;
  /** A moment, in the zone of the job. */
  readonly until?: string;
}

export interface PauseResult {
  /** False: it was so already. */
  readonly changed: boolean;
  /** Of the definition as it stands in etcd now. */
  readonly revision: number;
}

interface Expected {
  /** Only while the definition is the one of this revision; otherwise whatever it is. */
  readonly revision?: number;
}

/**
 * Pauses a job. Everything else in its definition is kept; a value in YAML becomes JSON. A pause that gives no reason and no end
 * leaves those of a pause that goes on anyway. Rejects with ETCRON_JOB_NOT_FOUND, with ETCRON_JOB_INVALID for a broken one,
 * and with ETCRON_USAGE when `until` is past.
 */
export async function pauseJob(
  context: OperationContext,
  name: string,
  pause: PauseOptions = {},
  expected: Expected = {},
): Promise<PauseResult> {
  await assertPausable(context, name, pause);
  return editPause(context, name, pause, expected);
}

/** Takes the word `paused` out, so that a file that does not mention it asks for nothing else. */
export function resumeJob(
  context: OperationContext,
  name: string,
  expected: Expected = {},
): Promise<PauseResult> {
  return editPause(context, name, null, expected);
}

/** Rejects as `pauseJob` does, and changes nothing: to be asked of several jobs before the first of them is paused. */
export async function assertPausable(
  context: OperationContext,
  name: string,
  { until }: PauseOptions,
): Promise<void> {
  const { job } = await findJob(context, name);
  if (job === null || until === undefined) return;
  const untilMs = momentMs(until, job.timezone);
  if (untilMs > context.clock.now()) return;
  const message = `${quote(until)} is past: for ${quote(name)} (${job.timezone}) that was ${timeText(untilMs)}`;
  throw new EtcronError('ETCRON_USAGE', message, { hint: 'Name a time to come; nothing was paused.' });
}

/** Another writer's edit in between is taken up and tried again. */
async function editPause(
  context: OperationContext,
  name: string,
  pause: PauseOptions | null,
  { revision }: Expected,
): Promise<PauseResult> {
  const { store, keys } = context;
  const key = keys.job(name);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const entry = await findJob(context, name);
    const seen = entry.modRevision;
    if (revision !== undefined && revision !== seen) throw changedMeanwhile(name, revision, seen);
    const parsed = parseJobValue(name, entry.kv.value);
    if (!parsed.ok) throw brokenJob(entry, key, pause ? 'paused' : 'resumed');
    const after = withPause(parsed.definition, isPausedForGood(parsed.job), pause);
    if (after === null) return { changed: false, revision: seen };
    const result = await store.txn({
      compare: [modifiedAt(key, seen)],
      success: [put(key, serializeDefinition(after))],
    });
    if (result.succeeded) return { changed: true, revision: result.revision };
  }
  throw keepsChanging(name);
}

/** Null when that is so already. */
function withPause(
  definition: JobDefinition,
  isPaused: boolean,
  pause: PauseOptions | null,
): JobDefinition | null {
  const { paused: before = false, ...rest } = definition;
  if (pause === null) return before === false ? null : rest;
  const isBare = pause.reason === undefined && pause.until === undefined;
  if (isBare) return isPaused ? null : { ...rest, paused: true };
  const after = { ...rest, paused: { ...pause } };
  return serializeDefinition(after) === serializeDefinition(definition) ? null : after;
}
