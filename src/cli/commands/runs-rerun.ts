import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag } from '../parse-flags.js';
import type { RunJobOptions } from '../runs/run-job.js';

export function runsRerunCommand(): Command {
  return new Command('rerun')
    .description(
      'Ask for another run of what a run was for: its job, as it is defined now, for the same due time. Prints the id of the new run; the record of the old one stays. The command finds the old id in ETCRON_RERUN_OF.',
    )
    .argument('<run>', 'id of a run that is over: <job>/<due time>')
    .option('-w, --wait', 'wait for its end, show it, and exit with 0 only when it succeeded')
    .option(
      '--timeout <duration>',
      'with --wait: give up waiting after this time (the run goes on)',
      durationFlag,
    )
    .addHelpText(
      'after',
      examples([
        ["etcron runs rerun 'report/2026-11-21T14:00:00.000Z'", 'the report of that day once more'],
        ["etcron runs rerun 'report/2026-11-21T14:00:00.000Z' --wait", 'and wait for its end'],
      ]),
    )
    .action(async (run: string, options: RunJobOptions, command: Command) => {
      const { rerun } = await import('../runs/run-job.js');
      await rerun(contextOf(command), run, options);
    });
}
