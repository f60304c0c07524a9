import { assertPausable, pauseJob, resumeJob, type PauseOptions } from '../../operations/pause-job.js';
import { findJob } from '../../operations/find-job.js';
import type { CliContext } from '../context.js';

/** Pauses jobs, or resumes them (`pause` null). */
export async function editPaused(
  context: CliContext,
  names: readonly string[],
  pause: PauseOptions | null,
): Promise<void> {
  await context.withOperations(async (cluster) => {
    const results: { name: string; paused: boolean; changed: boolean }[] = [];
    // All names first: a slip in one should not leave the others half done.
    for (const name of names) {
      if (pause) await assertPausable(cluster, name, pause);
      else await findJob(cluster, name);
    }
    const paused = pause !== null;
    for (const name of names) {
      const { changed } = pause ? await pauseJob(cluster, name, pause) : await resumeJob(cluster, name);
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
