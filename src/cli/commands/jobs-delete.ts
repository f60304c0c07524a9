import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function jobsDeleteCommand(): Command {
  return new Command('delete')
    .alias('rm')
    .description(
      'Delete jobs. What runs goes on to its end; the history stays until it is pruned. Nothing is deleted when one of the names is unknown.',
    )
    .argument('<job...>', 'names of jobs')
    .addHelpText('after', examples([['etcron jobs delete backup report', 'two jobs']]))
    .action(async (jobs: string[], _options: unknown, command: Command) => {
      const { deleteJobs } = await import('../jobs/delete-jobs.js');
      await deleteJobs(contextOf(command), jobs);
    });
}
