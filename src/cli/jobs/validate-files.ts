import { EtcronError } from '../../errors.js';
import type { CliContext } from '../context.js';
import { plural } from '../../plural.js';
import { filesError, loadFiles } from './read-files.js';
import { jobWarnings } from '../../operations/job-warnings.js';
import { reportWarnings } from './report-warnings.js';

/**
 * Throws an error that lists all problems; with `--json` the list is the result, and the exit code the verdict. With
 * `strict` a warning is a problem.
 */
export async function validateFiles(
  context: CliContext,
  files: readonly string[],
  strict = false,
): Promise<void> {
  const { jobs, problems } = await loadFiles(context, files);
  const written = [...jobs.values()].map(({ job }) => job);
  const warnings = jobWarnings(written, context.clock.now());
  if (context.json) {
    context.out.json({ valid: problems.length === 0, jobs: [...jobs.keys()], problems, warnings });
    if (problems.length > 0 || (strict && warnings.length > 0))
      context.exitCode = new EtcronError('ETCRON_JOB_INVALID', '').exitCode;
    return;
  }
  if (problems.length > 0) throw filesError(problems);
  reportWarnings(context, warnings, strict);
  context.out.line(
    `${context.colors.green('✓')} ${plural(jobs.size, 'job')} in ${plural(files.length, 'file')}`,
  );
}
