import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { ExportOptions } from '../jobs/export-jobs.js';
import { setNameFlag } from '../parse-flags.js';

export function exportCommand(): Command {
  return new Command('export')
    .summary('write the jobs in etcd as one file')
    .description(
      'Write the jobs in etcd as one file that "etcron apply" takes: applied again it changes nothing. Broken jobs are listed and left out, and make the exit code 2.',
    )
    .argument('[job...]', 'names of jobs (default: all)')
    .option('--set <name>', 'only the jobs that this set of files manages', setNameFlag)
    .option('-o, --output <file>', 'write there instead of stdout; a file that exists is not overwritten')
    .addHelpText(
      'after',
      examples([
        ['etcron export > jobs.yaml', 'all jobs'],
        ['etcron export backup report -o two.yaml', 'two jobs, into a new file'],
        ['etcron export | etcron --endpoints other:2379 apply -f -', 'from one cluster to another'],
      ]),
    )
    .action(async (jobs: string[], options: ExportOptions, command: Command) => {
      const { exportJobs } = await import('../jobs/export-jobs.js');
      await exportJobs(contextOf(command), jobs, options);
    });
}
