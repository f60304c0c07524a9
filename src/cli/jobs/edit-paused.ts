import { EtcronError } from '../../errors.js';
import { modifiedAt, put } from '../../etcd/txn.js';
import {
  isPausedForGood,
  parseJobValue,
  quote,
  serializeDefinition,
  type JobDefinition,
} from '../../jobs/index.js';
import { momentMs } from '../../schedule/moment-ms.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { timeText } from '../time-text.js';
import { brokenJob, findJob } from './find-job.js';

export interface PauseOptions {
  readonly reason?: string;
  /** A moment, in the zone of each job. */
  readonly until?: string;
}

const MAX_TRIES = 5;

/**
 * Pauses jobs, or resumes them (`pause` null). Everything else in a definition is kept; a value in YAML becomes JSON. To
 * resume takes the word `paused` out, so that a file that does not mention it asks for nothing else.
 */
export async function editPaused(
  context: CliContext,
  names: readonly string[],
  pause: PauseOptions | null,
): Promise<void> {
  await context.withStore(async (cluster) => {
    const results: { name: string; paused: boolean; changed: boolean }[] = [];
    const nowMs = context.clock.now();
    // All names first: a slip in one should not leave the others half done.
    for (const name of names) {
      const { job } = await findJob(cluster, name);
      if (job && pause?.until !== undefined) assertFuture(name, pause.until, job.timezone, nowMs);
    }
    const paused = pause !== null;
    for (const name of names) {
      const changed = await editOne(cluster, name, pause);
      results.push({ name, paused, changed });
      const word = paused ? 'paused' : 'resumed';
      if (!context.json)
        context.out.line(
          changed ? `${word} ${name}` : `${name} is ${paused ? 'paused' : 'not paused'} already`,
        );
    }
    if (context.json) context.out.json({ jobs: results });
  });
}

function assertFuture(name: string, until: string, timeZone: string, nowMs: number): void {
  const untilMs = momentMs(until, timeZone);
  if (untilMs > nowMs) return;
  const message = `${quote(until)} is past: for ${quote(name)} (${timeZone}) that was ${timeText(untilMs)}`;
  throw new EtcronError('ETCRON_USAGE', message, { hint: 'Name a time to come; nothing was paused.' });
}

/** Whether there was something to change. Another writer's edit in between is taken up and tried again. */
async function editOne(cluster: Cluster, name: string, pause: PauseOptions | null): Promise<boolean> {
  const { store, keys } = cluster;
  const key = keys.job(name);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const entry = await findJob(cluster, name);
    const parsed = parseJobValue(name, entry.kv.value);
    if (!parsed.ok) throw brokenJob(entry, key, pause ? 'paused' : 'resumed');
    const after = withPause(parsed.definition, isPausedForGood(parsed.job), pause);
    if (after === null) return false;
    const result = await store.txn({
      compare: [modifiedAt(key, entry.modRevision)],
      success: [put(key, serializeDefinition(after))],
    });
    if (result.succeeded) return true;
  }
  throw new EtcronError('ETCRON_CONFLICT', `others keep changing ${quote(name)}; it was left as it is`, {
    hint: 'Try again.',
    details: { name },
  });
}

/** Null when that is so already. A pause that gives no reason and no end leaves those of a pause that goes on anyway. */
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
