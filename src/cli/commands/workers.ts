import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function workersCommand(): Command {
  return new Command('workers')
    .summary('list the live workers')
    .description(
      'List the live workers: who they are, what they can take and what they have; the leader is marked.',
    )
    .addHelpText(
      'after',
      examples([
        ['etcron workers', ''],
        ["etcron workers --json | jq -r '.workers[].node'", 'their node ids'],
      ]),
    )
    .action(async (_options: unknown, command: Command) => {
      const { showWorkers } = await import('../cluster/show-workers.js');
      await showWorkers(contextOf(command));
    });
}
