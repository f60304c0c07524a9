import { Command } from 'commander';
import { examples } from '../help.js';
import { runsGetCommand } from './runs-get.js';
import { runsKillCommand } from './runs-kill.js';
import { runsListCommand } from './runs-list.js';

export function runsCommand(): Command {
  return new Command('runs')
    .summary('list, show and kill runs')
    .description('What became of due times, and what is under way.')
    .addCommand(runsListCommand())
    .addCommand(runsGetCommand())
    .addCommand(runsKillCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron runs list --job backup', 'the history of a job'],
        ["etcron runs get 'backup/2026-11-21T14:00:00.000Z'", 'one run with its output'],
      ]),
    );
}
