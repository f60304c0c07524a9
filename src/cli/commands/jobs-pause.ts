import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function jobsPauseCommand(): Command {
  return pauseCommand('pause', true)
    .description(
      'Pause jobs: no due times until they are resumed. What runs goes on; "etcron run" still runs them by hand.',
    )
    .addHelpText('after', examples([['etcron jobs pause backup report', 'two jobs']]));
}

export function jobsResumeCommand(): Command {
  return pauseCommand('resume', false)
    .description('Resume paused jobs, from now on: due times in the pause are not made up for.')
    .addHelpText('after', examples([['etcron jobs resume backup', '']]));
}

function pauseCommand(name: string, paused: boolean): Command {
  return new Command(name)
    .argument('<job...>', 'names of jobs')
    .action(async (jobs: string[], _options: unknown, command: Command) => {
      const { editPaused } = await import('../jobs/edit-paused.js');
      await editPaused(contextOf(command), jobs, paused);
    });
}
