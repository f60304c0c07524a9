import { Command, InvalidArgumentError } from 'commander';
import { JOB_NAME_PATTERN } from '../../jobs/job-name.js';
import { MAX_LIMIT_SIZE } from '../../view/limit-record.js';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { integerFlag } from '../parse-flags.js';

export function limitsCommand(): Command {
  return new Command('limits')
    .summary('list, set and delete limits that jobs share')
    .description('Limits on how many runs go on at once, shared by all jobs that name them.')
    .addCommand(listCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron limits set db 3', 'jobs with "limits: [db]" run three at a time, in the whole cluster'],
        ['etcron limits list', 'who runs under which limit, and how many wait'],
      ]),
    );
}

function listCommand(): Command {
  return new Command('list')
    .alias('ls')
    .description('List the limits, with the runs that hold them and how many wait.')
    .addHelpText('after', examples([['etcron limits list --json', 'with all runs and jobs']]))
    .action(async (_options: unknown, command: Command) => {
      const { listLimits } = await import('../limits/list-limits.js');
      await listLimits(contextOf(command));
    });
}

function setCommand(): Command {
  return new Command('set')
    .description(
      'Set the size of a limit. What runs beyond a smaller one goes on; no more begins until fewer run. With 0 nothing begins.',
    )
    .argument('<limit>', 'its name', limitName)
    .argument('<size>', 'how many runs at once', integerFlag(0, MAX_LIMIT_SIZE))
    .addHelpText('after', examples([['etcron limits set db 3', '']]))
    .action(async (name: string, size: number, _options: unknown, command: Command) => {
      const { setLimit } = await import('../limits/change-limit.js');
      await setLimit(contextOf(command), name, size);
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .alias('rm')
    .description('Delete a limit. Refused while jobs name it, since they would not run any more.')
    .argument('<limit>', 'its name')
    .option('--force', 'also while jobs name it')
    .addHelpText('after', examples([['etcron limits delete db', '']]))
    .action(async (name: string, options: { force?: boolean }, command: Command) => {
      const { deleteLimit } = await import('../limits/change-limit.js');
      await deleteLimit(contextOf(command), name, options.force ?? false);
    });
}

function limitName(text: string): string {
  if (JOB_NAME_PATTERN.test(text)) return text;
  throw new InvalidArgumentError(
    'Use letters, digits, ".", "_" and "-", and begin with a letter or a digit.',
  );
}
