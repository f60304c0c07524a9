import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { ApplyOptions } from '../jobs/apply-files.js';
import { collect } from '../parse-flags.js';

export function applyCommand(): Command {
  return new Command('apply')
    .summary('put the jobs of files into etcd')
    .description(
      'Show how the jobs in etcd differ from the files, and make them the same. A pause that a file does not mention stays.',
    )
    .requiredOption('-f, --file <file>', 'a file of jobs, YAML or JSON; "-" is stdin; repeatable', collect)
    .option('--dry-run', 'only show the difference')
    .option('--prune', 'also delete all jobs under the prefix that are in none of the files')
    .option('-y, --yes', 'delete without asking')
    .addHelpText(
      'after',
      examples([
        ['etcron apply -f jobs.yaml --dry-run', 'what would change'],
        ['etcron apply -f base.yaml -f team.yaml', 'several files as one set of jobs'],
        ['etcron apply -f jobs.yaml --prune --yes', 'from a deployment: the file is all there is'],
      ]),
    )
    .action(async (options: ApplyOptions, command: Command) => {
      const { applyFiles } = await import('../jobs/apply-files.js');
      await applyFiles(contextOf(command), options);
    });
}
