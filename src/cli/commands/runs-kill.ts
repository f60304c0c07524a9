import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag } from '../parse-flags.js';
import type { KillRunOptions } from '../runs/kill-run.js';

export function runsKillCommand(): Command {
  return new Command('kill')
    .description(
      'End a run: its worker ends all its processes (SIGTERM, then SIGKILL) and records it as killed. Answers when they are gone, and shows the record. One that nobody has started ends as it is. It is not tried again. The request stands, also when nobody waits for it any more.',
    )
    .argument('<run>', 'run id: <job>/<due time>')
    .option('--reason <text>', 'why, for the record', 'by hand')
    .option('--no-wait', 'only ask for it')
    .option('--timeout <duration>', 'give up waiting after this time', durationFlag)
    .addHelpText(
      'after',
      examples([
        ["etcron runs kill 'backup/2026-11-21T14:00:00.000Z'", 'end it and see what it wrote'],
        ["etcron runs kill 'backup/2026-11-21T14:00:00.000Z' --reason 'disk full'", 'and say why'],
      ]),
    )
    .action(async (run: string, options: KillRunOptions, command: Command) => {
      const { killRun } = await import('../runs/kill-run.js');
      await killRun(contextOf(command), run, options);
    });
}
