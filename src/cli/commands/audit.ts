import { Command, Option } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { integerFlag, timeFlag } from '../parse-flags.js';
import type { ShowAuditOptions } from '../audit/show-audit.js';

export function auditCommand(): Command {
  return new Command('audit')
    .summary('who changed what, and what it was before')
    .description(
      'Show the changes that were made by command line, API and page, newest first. What was put with etcdctl leaves no trace here.',
    )
    .option('--since <time>', 'from this time on', timeFlag)
    .option('--until <time>', 'up to this time', timeFlag)
    .option('--actor <name>', 'by this user or token only')
    .option('--job <name>', 'of this job, its runs and requests to them')
    .option('-n, --limit <number>', 'at most so many', integerFlag(1, 100_000), 20)
    .addOption(
      new Option('--export <format>', 'all of them, oldest last, one JSON document per line').choices([
        'ndjson',
      ]),
    )
    .addHelpText(
      'after',
      examples([
        ['etcron audit', 'the last 20 changes'],
        ['etcron audit --job backup', 'of one job'],
        ['etcron audit --since 2026-11-01 --export ndjson > audit.ndjson', 'for another system'],
      ]),
    )
    .action(async (options: ShowAuditOptions, command: Command) => {
      const { showAudit } = await import('../audit/show-audit.js');
      await showAudit(contextOf(command), options);
    });
}
