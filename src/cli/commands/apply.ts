import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { ApplyOptions } from '../jobs/apply-files.js';
import { collect, setNameFlag } from '../parse-flags.js';

export function applyCommand(): Command {
  return new Command('apply')
    .summary('put the jobs of files into etcd')
    .description(
      'Show how the jobs in etcd differ from the files, and make them the same. A pause that a file does not mention stays. The set, a name for these files, manages the jobs from then on.',
    )
    .requiredOption('-f, --file <file>', 'a file of jobs, YAML or JSON; "-" is stdin; repeatable', collect)
    .option('--dry-run', 'only show the difference')
    .option('--prune', 'also delete the jobs that the set manages and that are in none of the files')
    .option('--set <name>', 'the name of the set that the files are (default: "default")', setNameFlag)
    .option('--take-over', 'take jobs over that another set manages, instead of refusing')
    .option('--strict', 'change nothing when there is a warning')
    .option('-y, --yes', 'delete without asking')
    .addHelpText(
      'after',
      examples([
        ['etcron apply -f jobs.yaml --dry-run', 'what would change'],
        ['etcron apply -f base.yaml -f team.yaml', 'several files as one set of jobs'],
        [
          'etcron apply -f jobs.yaml --prune --yes',
          'from a deployment: what the file had and has no more, goes',
        ],
        ['etcron apply -f team.yaml --set team --prune', 'one team of several'],
      ]),
    )
    .action(async (options: ApplyOptions, command: Command) => {
      const { applyFiles } = await import('../jobs/apply-files.js');
      await applyFiles(contextOf(command), options);
    });
}
