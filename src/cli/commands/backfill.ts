import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { integerFlag, momentFlag } from '../parse-flags.js';
import type { BackfillOptions } from '../runs/backfill-job.js';

export function backfillCommand(): Command {
  return new Command('backfill')
    .summary('run a job for past due times')
    .description(
      'Run a job for each past due time of its schedule in a range, oldest first, and wait for the end of all runs. Whatever happened at a due time then stays on record: these runs have records of their own.',
    )
    .argument('<job>', 'name of the job')
    .requiredOption(
      '--from <time>',
      'the first due time; without an offset in the zone of the job',
      momentFlag,
    )
    .requiredOption('--to <time>', 'the last one; a date alone is meant to its end', momentFlag)
    .option('--dry-run', 'only list the due times')
    .option('--concurrency <number>', 'how many runs at once', integerFlag(1, 100), 1)
    .option('-y, --yes', 'do not ask, however many there are')
    .addHelpText(
      'after',
      examples([
        ['etcron backfill report --from 2026-11-01 --to 2026-11-14 --dry-run', 'which due times that is'],
        ['etcron backfill report --from 2026-11-01 --to 2026-11-14', 'run them, one after another'],
        [
          'etcron backfill report --from 2026-11-01T08:00Z --to 2026-11-01T20:00Z --concurrency 4',
          'four at once',
        ],
      ]),
    )
    .action(async (job: string, options: BackfillOptions, command: Command) => {
      const { backfillJob } = await import('../runs/backfill-job.js');
      await backfillJob(contextOf(command), job, options);
    });
}
