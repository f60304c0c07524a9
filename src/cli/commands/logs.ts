import { Command, Option } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { integerFlag } from '../parse-flags.js';
import type { LogsOptions } from '../runs/logs.js';

export function logsCommand(): Command {
  return new Command('logs')
    .summary('show what a run writes')
    .description(
      'Show the whole output of a run, from the worker that has it, while it runs or afterwards. Where that worker cannot be asked, the end that the record keeps.',
    )
    .argument('<run>', 'run id: <job>/<due time>, as "runs list" and "run" print it')
    .option('-f, --follow', 'go on until the attempt ends')
    .option('--attempt <number>', 'of this attempt; the last one by default', integerFlag(1, 1_000_000))
    .addOption(
      new Option('--stream <stream>', 'stdout or stderr alone')
        .choices(['stdout', 'stderr', 'both'])
        .default('both'),
    )
    .option('-n, --tail <lines>', 'only so many lines before the end', integerFlag(0, 10_000_000))
    .option('-t, --timestamps', 'begin each line with the time at which it came')
    .addHelpText(
      'after',
      examples([
        ["etcron logs 'backup/2026-11-21T14:00:00.000Z'", 'all that it wrote'],
        ["etcron logs -f -n 20 'backup/2026-11-21T14:00:00.000Z'", 'the last lines, and what is to come'],
        [
          "etcron logs --attempt 1 --stream stderr -t 'backup/2026-11-21T14:00:00.000Z'",
          'why it failed first',
        ],
      ]),
    )
    .action(async (run: string, options: LogsOptions, command: Command) => {
      const { showLogs } = await import('../runs/logs.js');
      await showLogs(contextOf(command), run, options);
    });
}
