import { Command, InvalidArgumentError } from 'commander';
import { OUTCOMES, type Outcome } from '../../history/run-record.js';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { integerFlag } from '../parse-flags.js';
import type { ListRunsOptions } from '../runs/list-runs.js';

export function runsListCommand(): Command {
  return new Command('list')
    .alias('ls')
    .description('List the runs that are over, newest due time first.')
    .option('--job <name>', 'of this job only')
    .option(
      '--outcome <outcomes>',
      `with one of these, separated by commas: ${OUTCOMES.join(', ')}`,
      outcomesFlag,
    )
    .option('-n, --limit <number>', 'at most so many', integerFlag(1, 10_000), 20)
    .option('--after <run>', 'go on after this run: what the page before ended with')
    .addHelpText(
      'after',
      examples([
        ['etcron runs list', 'the last 20'],
        ['etcron runs list --job backup -n 100', 'of one job'],
        ['etcron runs list --outcome failed,timed_out,lost', 'what went wrong'],
      ]),
    )
    .action(async (options: ListRunsOptions, command: Command) => {
      const { showRuns } = await import('../runs/list-runs.js');
      await showRuns(contextOf(command), options);
    });
}

function outcomesFlag(text: string): Outcome[] {
  return text.split(',').map((word) => {
    const outcome = OUTCOMES.find((known) => known === word.trim());
    if (outcome === undefined) throw new InvalidArgumentError(`The outcomes are ${OUTCOMES.join(', ')}.`);
    return outcome;
  });
}
