import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag } from '../parse-flags.js';
import type { KillRunOptions } from '../runs/kill-run.js';

export function runsKillCommand(): Command {
  return new Command('kill')
    .description(
      'End a run: its worker ends all its processes (SIGTERM, then SIGKILL) and records it as killed. One that nobody runs yet ends when it is claimed. It is not tried again.',
    )
    .argument('<run>', 'run id: <job>/<due time>')
    .option('--reason <text>', 'why, for the record', 'by hand')
    .option('-w, --wait', 'wait for its end and show it')
    .option('--timeout <duration>', 'with --wait: give up waiting after this time', durationFlag)
    .addHelpText(
      'after',
      examples([
        ["etcron runs kill 'backup/2026-11-21T14:00:00.000Z' --wait", 'end it and see what it wrote'],
      ]),
    )
    .action(async (run: string, options: KillRunOptions, command: Command) => {
      const { killRun } = await import('../runs/kill-run.js');
      await killRun(contextOf(command), run, options);
    });
}
