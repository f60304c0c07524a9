import { etcdRoles } from '../../etcd/roles.js';
import { Keys } from '../../etcd/keys.js';
import { connectionOptions } from '../connection.js';
import type { CliContext } from '../context.js';

/** Prints the commands that make the roles; with `--json` the ranges themselves. */
export async function showEtcdRoles(context: CliContext, rolePrefix: string): Promise<void> {
  const { prefix } = await connectionOptions(context.options, context.environment.env);
  const roles = etcdRoles(new Keys(prefix)).map((role) => ({ ...role, name: rolePrefix + role.name }));
  const { out } = context;
  if (context.json) {
    return out.json({
      roles: roles.map(({ name, purpose, permissions }) => ({
        name,
        purpose,
        permissions: permissions.map(({ access, range }) => ({ access, key: range.start, end: range.end })),
      })),
    });
  }
  for (const { name, purpose, permissions } of roles) {
    out.line(`# ${purpose}`);
    out.line(`etcdctl role add ${name}`);
    for (const { access, range } of permissions) {
      // A range that ends right after its key is that key.
      const end = range.end === `${range.start}\0` ? '' : ` ${quoted(range.end)}`;
      out.line(`etcdctl role grant-permission ${name} ${access} ${quoted(range.start)}${end}`);
    }
    out.line();
  }
  out.line('# A user with a role, and authentication on; a user may have several roles:');
  out.line(`#   etcdctl user add w1 && etcdctl user grant-role w1 ${rolePrefix}worker`);
  out.line('#   etcdctl user add root && etcdctl user grant-role root root && etcdctl auth enable');
}

/** For a shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9/._-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
