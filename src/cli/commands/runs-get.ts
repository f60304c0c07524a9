import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

export function runsGetCommand(): Command {
  return new Command('get')
    .description('Show one run: everything that was recorded, the end of its output, or how far it is.')
    .argument('<run>', 'run id: <job>/<due time>, as "runs list" and "run" print it')
    .addHelpText(
      'after',
      examples([
        ["etcron runs get 'backup/2026-11-21T14:00:00.000Z'", ''],
        ["etcron runs get 'backup/2026-11-21T14:00:00.000Z' --json | jq -r .stdout.text", 'only its output'],
      ]),
    )
    .action(async (run: string, _options: unknown, command: Command) => {
      const { showRun } = await import('../runs/get-run.js');
      await showRun(contextOf(command), run);
    });
}
