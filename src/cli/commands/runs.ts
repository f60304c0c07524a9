import { Command } from 'commander';
import { examples } from '../help.js';
import { runsGetCommand } from './runs-get.js';
import { runsKillCommand } from './runs-kill.js';
import { runsListCommand } from './runs-list.js';
import { runsRerunCommand } from './runs-rerun.js';

export function runsCommand(): Command {
  return new Command('runs')
    .summary('list, show, kill and repeat runs')
    .description('What became of due times, and what is under way.')
    .addCommand(runsListCommand())
    .addCommand(runsGetCommand())
    .addCommand(runsKillCommand())
    .addCommand(runsRerunCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron runs list --job backup', 'the history of a job'],
        ["etcron runs get 'backup/2026-11-21T14:00:00.000Z'", 'one run with its output'],
      ]),
    );
}
