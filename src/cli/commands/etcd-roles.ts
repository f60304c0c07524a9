import { Command, InvalidArgumentError } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function etcdRolesCommand(): Command {
  return new Command('etcd-roles')
    .summary('print the etcdctl commands for roles of an etcd with authentication')
    .description(
      'Print the commands that give etcd roles for workers, operators, viewers and admins of this cluster, with the ranges of keys that each needs. Asks no etcd and changes nothing.',
    )
    .option('--role-prefix <text>', 'what the names of the roles begin with', rolePrefix, 'etcron-')
    .addHelpText(
      'after',
      examples([
        ['etcron etcd-roles', 'to read them'],
        ['etcron etcd-roles | ETCDCTL_API=3 sh -e', 'to have them'],
        ['etcron etcd-roles --prefix /cron-b --role-prefix cron-b-', 'of a second cluster on the same etcd'],
      ]),
    )
    .action(async (options: { rolePrefix: string }, command: Command) => {
      const { showEtcdRoles } = await import('../access/show-etcd-roles.js');
      await showEtcdRoles(contextOf(command), options.rolePrefix);
    });
}

function rolePrefix(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Use letters, digits, ".", "_" and "-", and begin with a letter or a digit.',
  );
}
