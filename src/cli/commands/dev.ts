import { Command } from 'commander';
import { contextOf } from '../context.js';
import type { DevOptions } from '../dev/run-dev.js';
import { examples } from '../help.js';
import { collect, durationFlag, integerFlag } from '../parse-flags.js';

export function devCommand(): Command {
  return new Command('dev')
    .summary('a whole cluster on this machine: etcd, workers, and a feed of what happens')
    .description(
      'Start a real etcd and some workers on this machine, load jobs, and show each firing as it ends. Kill a worker to ' +
        'see the others take over. Ctrl-C ends it all.\n\nWith --endpoints the workers join an existing etcd instead.',
    )
    .option('-w, --workers <number>', 'how many worker processes', integerFlag(0, 64), 3)
    .option('-f, --file <file>', 'a file of jobs to create or update; repeatable', collect)
    .option('--data-dir <folder>', "keep etcd's data there, and go on with it the next time")
    .option('--replace-after <duration>', 'how long a dead worker is left dead', durationFlag, 5_000)
    .option('--no-replace', 'do not start a worker in place of a dead one')
    .option('--log <file>', 'append the feed to a file, too')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      examples([
        ['etcron dev -f jobs.yaml', 'three workers and the jobs of a file'],
        ['etcron dev --workers 5 --data-dir ./data', 'a cluster that remembers'],
        ['etcron dev --endpoints 127.0.0.1:2379', 'workers for an etcd that already runs'],
        ['etcron dev | grep failed', 'plain lines for a pipe'],
      ]),
    )
    .action(async (options: DevOptions, command: Command) => {
      const { runDev } = await import('../dev/run-dev.js');
      await runDev(contextOf(command), options);
    });
}
