import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function statusCommand(): Command {
  return new Command('status')
    .summary('the health of the cluster in one page; a health check')
    .description(
      'Show who leads, the workers, jobs, firings, recent failures and etcd. Exits with 0 when there is a leader and an active worker and etcd takes writes, with 1 otherwise.',
    )
    .addHelpText(
      'after',
      examples([
        ['etcron status', ''],
        ['etcron status > /dev/null', 'as a health check'],
        ['etcron status --json | jq .firings', 'for a program'],
      ]),
    )
    .action(async (_options: unknown, command: Command) => {
      const { showStatus } = await import('../cluster/show-status.js');
      await showStatus(contextOf(command));
    });
}
