import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { ListJobsOptions } from '../jobs/list-jobs.js';

export function jobsListCommand(): Command {
  return new Command('list')
    .alias('ls')
    .description('List all jobs: schedule, next due time, last run, and what is wrong with broken ones.')
    .option('--no-last', 'leave out the last run, which takes one read per job')
    .addHelpText(
      'after',
      examples([
        ['etcron jobs list', ''],
        [`etcron jobs list --json | jq -r '.jobs[] | select(.state == "broken").name'`, 'the broken ones'],
      ]),
    )
    .action(async (options: ListJobsOptions, command: Command) => {
      const { listJobs } = await import('../jobs/list-jobs.js');
      await listJobs(contextOf(command), options);
    });
}
