import { EtcronError } from '../../errors.js';
import { modifiedAt, put } from '../../etcd/txn.js';
import { parseJobValue, quote, serializeDefinition, type JobDefinition } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { brokenJob, findJob } from './find-job.js';

const MAX_TRIES = 5;

/**
 * Pauses or resumes jobs. Everything else in a definition is kept; a value in YAML becomes JSON. To resume takes the
 * word `paused` out, so that a file that does not mention it asks for nothing else.
 */
export async function editPaused(
  context: CliContext,
  names: readonly string[],
  paused: boolean,
): Promise<void> {
  await context.withStore(async (cluster) => {
    const results: { name: string; paused: boolean; changed: boolean }[] = [];
    // All names first: a slip in one should not leave the others half done.
    for (const name of names) await findJob(cluster, name);
    for (const name of names) {
      const changed = await editOne(cluster, name, paused);
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

/** Whether there was something to change. Another writer's edit in between is taken up and tried again. */
async function editOne(cluster: Cluster, name: string, paused: boolean): Promise<boolean> {
  const { store, keys } = cluster;
  const key = keys.job(name);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const entry = await findJob(cluster, name);
    const parsed = parseJobValue(name, entry.kv.value);
    if (!parsed.ok) throw brokenJob(entry, key, paused ? 'paused' : 'resumed');
    if (parsed.job.paused === paused) return false;
    const text = serializeDefinition(withPaused(parsed.definition, paused));
    const result = await store.txn({
      compare: [modifiedAt(key, entry.modRevision)],
      success: [put(key, text)],
    });
    if (result.succeeded) return true;
  }
  throw new EtcronError('ETCRON_CONFLICT', `others keep changing ${quote(name)}; it was left as it is`, {
    hint: 'Try again.',
    details: { name },
  });
}

function withPaused({ paused: _, ...rest }: JobDefinition, paused: boolean): JobDefinition {
  return paused ? { ...rest, paused: true } : rest;
}
