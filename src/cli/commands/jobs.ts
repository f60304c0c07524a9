import { Command } from 'commander';
import { jobsDeleteCommand } from './jobs-delete.js';
import { jobsEditCommand } from './jobs-edit.js';
import { jobsGetCommand } from './jobs-get.js';
import { jobsListCommand } from './jobs-list.js';
import { jobsPauseCommand, jobsResumeCommand } from './jobs-pause.js';
import { examples } from '../help.js';

export function jobsCommand(): Command {
  return new Command('jobs')
    .summary('list, show, edit, delete, pause and resume jobs')
    .description(
      'The job definitions in etcd. They are put there by "etcron apply", or by any client of etcd.',
    )
    .addCommand(jobsListCommand())
    .addCommand(jobsGetCommand())
    .addCommand(jobsEditCommand())
    .addCommand(jobsPauseCommand())
    .addCommand(jobsResumeCommand())
    .addCommand(jobsDeleteCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron jobs list', 'all jobs with their state'],
        ['etcron jobs get backup', 'one job'],
        ['etcron jobs pause backup', 'no due times until it is resumed'],
      ]),
    );
}
