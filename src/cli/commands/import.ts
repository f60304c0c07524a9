import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { ImportOptions } from '../import/import-crontab.js';

export function importCommand(): Command {
  return new Command('import')
    .summary('turn a crontab into a file of jobs')
    .description('Turn the files of another scheduler into a file of jobs.')
    .addCommand(importCrontabCommand())
    .addHelpText(
      'after',
      examples([['crontab -l | etcron import crontab - > jobs.yaml', 'your own crontab']]),
    );
}

function importCrontabCommand(): Command {
  return new Command('crontab')
    .description(
      'Write a crontab as a file of jobs that do what cron did with it, and list what cannot be carried over. Runs nothing, and needs no etcd.',
    )
    .argument('<file>', 'the crontab; "-" is stdin')
    .option('--system', 'with a user before each command, as in /etc/crontab and /etc/cron.d')
    .option('--tz <zone>', 'the time zone of the machine it is from (default: that of this one)')
    .option('-o, --output <file>', 'write there instead of stdout; a file that exists is not overwritten')
    .option('--strict', 'exit with 1 when something cannot be carried over')
    .addHelpText(
      'after',
      examples([
        ['crontab -l | etcron import crontab -', 'what your crontab becomes'],
        ['etcron import crontab /etc/crontab --system -o jobs.yaml', 'that of the machine, into a file'],
        ['etcron import crontab crontab.txt --tz Europe/Berlin', 'from a machine elsewhere'],
      ]),
    )
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const { importCrontabFile } = await import('../import/import-crontab.js');
      await importCrontabFile(contextOf(command), file, options);
    });
}
