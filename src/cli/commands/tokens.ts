import { Command, InvalidArgumentError } from 'commander';
import { ROLES, type Role } from '../../operations/actor.js';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag } from '../parse-flags.js';

export function tokensCommand(): Command {
  return new Command('tokens')
    .summary('create, list and revoke tokens of the API')
    .description('Tokens with which people and programs use the HTTP API and the page.')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand())
    .addHelpText(
      'after',
      examples([
        ['etcron tokens create anna --role admin', 'shown once'],
        ['etcron tokens create grafana --role viewer --expires 90d', 'one that ends by itself'],
        ['etcron tokens revoke grafana', 'it stops to count at once, everywhere'],
      ]),
    );
}

function createCommand(): Command {
  return new Command('create')
    .description(
      'Make a token and show it, once: etcd holds only its hash. As soon as there is one, nobody uses the API without.',
    )
    .argument('<name>', 'whose it is, or what for; changes are recorded under this name')
    .option(
      '--role <role>',
      'viewer reads; operator also runs, kills, pauses and drains; admin does everything',
      roleFlag,
      'viewer' as Role,
    )
    .option('--expires <duration>', 'it counts so long; without it until it is revoked', durationFlag)
    .addHelpText('after', examples([['etcron tokens create anna --role operator --expires 30d', '']]))
    .action(async (name: string, options: { role: Role; expires?: number }, command: Command) => {
      const { showCreatedToken } = await import('../tokens/create-token.js');
      await showCreatedToken(contextOf(command), name, options);
    });
}

function listCommand(): Command {
  return new Command('list')
    .alias('ls')
    .description('List the tokens, without what is secret of them.')
    .addHelpText('after', examples([['etcron tokens list --json', '']]))
    .action(async (_options: unknown, command: Command) => {
      const { showTokens } = await import('../tokens/list-tokens.js');
      await showTokens(contextOf(command));
    });
}

function revokeCommand(): Command {
  return new Command('revoke')
    .alias('rm')
    .description('Take a token away. Who is using it is cut off within about a second.')
    .argument('<token>', 'its id, or its name where only one has it')
    .addHelpText('after', examples([['etcron tokens revoke 3f9a6c01b2d4', '']]))
    .action(async (token: string, _options: unknown, command: Command) => {
      const { showRevocation } = await import('../tokens/revoke-token.js');
      await showRevocation(contextOf(command), token);
    });
}

function roleFlag(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw new InvalidArgumentError(`The roles are ${ROLES.join(', ')}.`);
  return role;
}
