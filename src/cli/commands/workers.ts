import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag, reasonFlag } from '../parse-flags.js';
import type { DrainOptions, HandOverOptions } from '../cluster/change-workers.js';

export function workersCommand(): Command {
  return new Command('workers')
    .summary('list the live workers; drain and resume them; hand the leadership over')
    .description(
      'List the live workers: who they are, what they can take and what they have; the leader is marked.',
    )
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(drainCommand())
    .addCommand(resumeCommand())
    .addCommand(handOverCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron workers', ''],
        ["etcron workers --json | jq -r '.workers[].node'", 'their node ids'],
        ['etcron workers drain w1 --wait', 'before its machine is taken down'],
      ]),
    );
}

function listCommand(): Command {
  return new Command('list')
    .alias('ls')
    .description('List the live workers, and those that are to stay drained when they come back.')
    .addHelpText('after', examples([['etcron workers list', '']]))
    .action(async (_options: unknown, command: Command) => {
      const { showWorkers } = await import('../cluster/show-workers.js');
      await showWorkers(contextOf(command));
    });
}

function drainCommand(): Command {
  return new Command('drain')
    .description(
      'Ask a worker to take nothing more: what it runs goes on to its end, what it has not started goes to others, and it leads no more while another worker can. It stays drained, also when it is started anew, until it is resumed.',
    )
    .argument('<name>', 'name of a worker, as "etcron workers" shows it')
    .option('-w, --wait', 'wait until it runs nothing any more')
    .option('--timeout <duration>', 'with --wait: give up waiting after this time', durationFlag)
    .option('--reason <text>', 'why, for those who wonder', reasonFlag)
    .addHelpText(
      'after',
      examples([
        ['etcron workers drain w1 --wait && ssh w1 reboot', 'take a machine down'],
        ['etcron workers drain w1 --reason "disk is dying"', 'and say why'],
      ]),
    )
    .action(async (name: string, options: DrainOptions, command: Command) => {
      const { drain } = await import('../cluster/change-workers.js');
      await drain(contextOf(command), name, options);
    });
}

function resumeCommand(): Command {
  return new Command('resume')
    .description('Let a drained worker take runs again.')
    .argument('<name>', 'name of a worker, be it away')
    .addHelpText('after', examples([['etcron workers resume w1', '']]))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { resume } = await import('../cluster/change-workers.js');
      await resume(contextOf(command), name);
    });
}

function handOverCommand(): Command {
  return new Command('hand-over')
    .description(
      'Ask the leader to give its office up, and say who leads then. Nothing is late because of it: what is due next is planned ahead.',
    )
    .option('--to <name>', 'the worker that is to lead; without it, whichever is first')
    .option('--timeout <duration>', 'give up waiting after this time (default: 15s)', durationFlag)
    .addHelpText(
      'after',
      examples([
        ['etcron workers hand-over', ''],
        ['etcron workers hand-over --to w2', 'to this one'],
      ]),
    )
    .action(async (options: HandOverOptions, command: Command) => {
      const { handOverLeadership } = await import('../cluster/change-workers.js');
      await handOverLeadership(contextOf(command), options);
    });
}
