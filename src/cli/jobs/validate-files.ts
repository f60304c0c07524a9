import { EtcronError } from '../../errors.js';
import type { CliContext } from '../context.js';
import { plural } from '../plural.js';
import { neverAgain, warnOfNeverAgain } from './never-again.js';
import { filesError, loadFiles } from './read-files.js';

/** Throws an error that lists all problems; with `--json` the list is the result, and the exit code the verdict. */
export async function validateFiles(context: CliContext, files: readonly string[]): Promise<void> {
  const { jobs, problems } = await loadFiles(context, files);
  const written = [...jobs.values()].map(({ job }) => job);
  if (context.json) {
    const warnings = neverAgain(written, context.clock.now());
    context.out.json({ valid: problems.length === 0, jobs: [...jobs.keys()], problems, warnings });
    if (problems.length > 0) context.exitCode = new EtcronError('ETCRON_JOB_INVALID', '').exitCode;
    return;
  }
  if (problems.length > 0) throw filesError(problems);
  warnOfNeverAgain(context, written);
  context.out.line(
    `${context.colors.green('✓')} ${plural(jobs.size, 'job')} in ${plural(files.length, 'file')}`,
  );
}
