import { EtcronError } from '../../errors.js';
import { loadJobsFiles, type JobsFile, type Problem } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import { plural } from '../../plural.js';

/** The jobs of the files, and the problems with them. `-` is stdin. */
export function loadFiles({ environment }: CliContext, files: readonly string[]): Promise<JobsFile> {
  return loadJobsFiles(files, { stdin: environment.stdin });
}

/** The error for files with problems, each of which is shown above it. */
export function filesError(problems: readonly Problem[]): EtcronError {
  const sources = new Set(problems.flatMap(({ source }) => source ?? []));
  const where = sources.size === 1 ? [...sources][0] : `${sources.size} files`;
  const unreadable = problems.every(({ code }) => code === 'ETCRON_FILE_UNREADABLE');
  return new EtcronError(
    unreadable ? 'ETCRON_FILE_UNREADABLE' : 'ETCRON_JOB_INVALID',
    `${plural(problems.length, 'problem')} in ${where}`,
    { details: { problems } },
  );
}
