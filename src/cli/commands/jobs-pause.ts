import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { PauseOptions } from '../../operations/pause-job.js';
import { momentFlag, reasonFlag } from '../parse-flags.js';

export function jobsPauseCommand(): Command {
  return new Command('pause')
    .description(
      'Pause jobs: no due times until they are resumed, or until a time. What runs goes on; "etcron run" still runs them by hand.',
    )
    .argument('<job...>', 'names of jobs')
    .option('--reason <text>', 'why, for those who wonder', reasonFlag)
    .option(
      '--until <time>',
      'due again from then on; without an offset in the time zone of the job',
      momentFlag,
    )
    .addHelpText(
      'after',
      examples([
        ['etcron jobs pause backup report', 'two jobs'],
        ['etcron jobs pause backup --reason "disk full" --until 2026-12-01T08:00', 'for a while'],
      ]),
    )
    .action(async (jobs: string[], options: PauseOptions, command: Command) => {
      const { editPaused } = await import('../jobs/edit-paused.js');
      await editPaused(contextOf(command), jobs, options);
    });
}

export function jobsResumeCommand(): Command {
  return new Command('resume')
    .description('Resume paused jobs, from now on: due times in the pause are not made up for.')
    .argument('<job...>', 'names of jobs')
    .addHelpText('after', examples([['etcron jobs resume backup', '']]))
    .action(async (jobs: string[], _options: unknown, command: Command) => {
      const { editPaused } = await import('../jobs/edit-paused.js');
      await editPaused(contextOf(command), jobs, null);
    });
}
