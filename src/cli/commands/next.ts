import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { collect, integerFlag, timeFlag } from '../parse-flags.js';
import type { NextOptions } from '../schedule/show-next.js';

export function nextCommand(): Command {
  return new Command('next')
    .summary('preview the due times of a schedule')
    .description(
      'Say in words what a schedule means, and list its next due times, local and UTC, with what clock changes do to them. Needs no etcd.',
    )
    .argument(
      '<schedule...>',
      'cron expression of 5 or 6 fields, @hourly … @yearly, "@every 90s", or "@at <time>"; several are taken together, as in a job',
    )
    .option('--tz <zone>', 'IANA time zone', 'UTC')
    .option('-n, --count <number>', 'how many due times', integerFlag(1, 10_000), 10)
    .option('--from <time>', 'the first one after this time (default: now)', timeFlag)
    .option('--job <name>', 'the name of the job, which "H" is hashed from')
    .option('--start-at <time>', 'due times before this do not count')
    .option('--end-at <time>', 'nor those after this')
    .option('--only <days>', 'only on this date, range of dates or weekday (may be repeated)', collect)
    .option('--exclude <days>', 'not on this one (may be repeated)', collect)
    .addHelpText(
      'after',
      examples([
        ['etcron next "30 2 * * *" --tz Europe/Berlin', 'a nightly job'],
        ['etcron next "*/15 9-17 * * Mon-Fri" -n 3', 'the next three'],
        ['etcron next "30 2 * * *" --tz America/New_York --from 2026-03-07', 'across the change of clocks'],
        ['etcron next "0 7 * * mon-fri" "0 10 * * sat,sun"', 'several, and which one is due'],
        ['etcron next "H 3 * * *" --job backup', 'some minute after three, its own for each job'],
        ['etcron next "0 7 * * *" --exclude sat --exclude 2026-12-24..2027-01-02', 'without some days'],
        ['etcron next "@at 2026-12-24T18:00:00" --tz Europe/Berlin', 'once'],
        ['etcron next "@every 90s" --json', 'for a program'],
      ]),
    )
    .action(async (expressions: readonly string[], options: NextOptions, command: Command) => {
      const { showNext } = await import('../schedule/show-next.js');
      showNext(contextOf(command), expressions, options);
    });
}
