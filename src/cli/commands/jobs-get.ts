import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function jobsGetCommand(): Command {
  return new Command('get')
    .description(
      'Show one job: definition or problems, next due times, what is under way, and the last runs.',
    )
    .argument('<job>', 'name of the job')
    .addHelpText(
      'after',
      examples([
        ['etcron jobs get backup', ''],
        ['etcron jobs get backup --json', 'for a program'],
      ]),
    )
    .action(async (job: string, _options: unknown, command: Command) => {
      const { getJob } = await import('../jobs/get-job.js');
      await getJob(contextOf(command), job);
    });
}
