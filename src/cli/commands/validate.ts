import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { collect } from '../parse-flags.js';

export function validateCommand(): Command {
  return new Command('validate')
    .summary('check job files, without etcd')
    .description('Check job files and list everything that is wrong with them. Needs no etcd.')
    .requiredOption('-f, --file <file>', 'a file of jobs, YAML or JSON; "-" is stdin; repeatable', collect)
    .option('--strict', 'fail on warnings, too')
    .addHelpText(
      'after',
      examples([
        ['etcron validate -f jobs.yaml', 'one file'],
        ['etcron validate -f base.yaml -f team.yaml', 'several files as one set of jobs'],
        ['generate-jobs | etcron validate -f - --json', 'from a pipe, for a program'],
      ]),
    )
    .action(async ({ file, strict }: { file: string[]; strict?: boolean }, command: Command) => {
      const { validateFiles } = await import('../jobs/validate-files.js');
      await validateFiles(contextOf(command), file, strict);
    });
}
