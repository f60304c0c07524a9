import { Command } from 'commander';
import { contextOf } from '../context.js';
import type { DoctorOptions } from '../doctor/run-doctor.js';
import { examples } from '../help.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('look for everything that is or may go wrong, and say what to do')
    .description(
      'Check etcd (members, versions, latency, size, access), leader, workers, clocks, capacity, what is overdue, jobs that cannot or will not run, and keys that do not belong there. Changes nothing. Exits with 1 when something does not work.',
    )
    .option('-q, --quick', "leave out the workers' clocks, which take some seconds")
    .option('--strict', 'exit with 1 for warnings, too')
    .addHelpText(
      'after',
      examples([
        ['etcron doctor', ''],
        ['etcron doctor --quick --json | jq .findings', 'for a program'],
      ]),
    )
    .action(async (options: DoctorOptions, command: Command) => {
      const { runDoctor } = await import('../doctor/run-doctor.js');
      await runDoctor(contextOf(command), options);
    });
}
