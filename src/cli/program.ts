/** The command line as a whole: the tree of commands, what all of them share, and one run of it. */
import { Command, CommanderError, Option } from 'commander';
import { EtcronError } from '../errors.js';
import { addConnectionOptions } from './connection-flags.js';
import { applyCommand } from './commands/apply.js';
import { auditCommand } from './commands/audit.js';
import { backfillCommand } from './commands/backfill.js';
import { devCommand } from './commands/dev.js';
import { doctorCommand } from './commands/doctor.js';
import { etcdRolesCommand } from './commands/etcd-roles.js';
import { exportCommand } from './commands/export.js';
import { importCommand } from './commands/import.js';
import { jobsCommand } from './commands/jobs.js';
import { limitsCommand } from './commands/limits.js';
import { logsCommand } from './commands/logs.js';
import { nextCommand } from './commands/next.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { serveCommand } from './commands/serve.js';
import { statusCommand } from './commands/status.js';
import { tokensCommand } from './commands/tokens.js';
import { topCommand } from './commands/top.js';
import { validateCommand } from './commands/validate.js';
import { workerCommand } from './commands/worker.js';
import { workersCommand } from './commands/workers.js';
import { contextOf, provideEnvironment } from './context.js';
import type { CliEnvironment } from './environment.js';
import { examples } from './help.js';
import { reportError } from './report-error.js';
import { packageVersion } from '../version.js';

const EXIT_CODES = `
Exit codes:
  0  it worked
  1  it failed: the operation, the run that was waited for, or an unhealthy cluster
  2  usage or bad input: a wrong flag, an invalid job file, a wrong setting
  3  etcd, or the server, is out of reach, or refused the credentials

Errors go to stderr as "error: … [ETCRON_…]" and a hint; with --json as one JSON object.`;

/** The program for one run; a commander program keeps the options that it parsed. */
export function createProgram(environment: CliEnvironment): Command {
  const program = new Command('etcron')
    .description('A distributed cron on etcd: every due time runs once, on time, on one worker.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help; "etcron <command> --help" shows that of one command')
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void environment.stdout.write(text),
      writeErr: (text) => void environment.stderr.write(text),
      // Reported by `runCli`, like every other error.
      outputError: () => undefined,
      getOutHelpWidth: () => environment.stdout.columns ?? 100,
      getErrHelpWidth: () => environment.stderr.columns ?? 100,
    })
    .configureHelp({ showGlobalOptions: true })
    .addOption(new Option('--json', 'print the result as JSON, and errors as a JSON object on stderr'));
  addConnectionOptions(program);
  program
    .commandsGroup('A cluster:')
    .addCommand(devCommand())
    .addCommand(workerCommand())
    .addCommand(workersCommand())
    .addCommand(serveCommand())
    .addCommand(statusCommand())
    .addCommand(topCommand())
    .addCommand(doctorCommand())
    .commandsGroup('Jobs:')
    .addCommand(validateCommand())
    .addCommand(applyCommand())
    .addCommand(jobsCommand())
    .addCommand(limitsCommand())
    .addCommand(nextCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .commandsGroup('Runs:')
    .addCommand(runCommand())
    .addCommand(backfillCommand())
    .addCommand(runsCommand())
    .addCommand(logsCommand())
    .commandsGroup('Access:')
    .addCommand(tokensCommand())
    .addCommand(auditCommand())
    .addCommand(etcdRolesCommand());
  program.addHelpText(
    'after',
    examples([
      ['etcron dev', 'etcd and three workers on this machine, with a live feed'],
      ['etcron validate -f jobs.yaml', 'check a file without etcd'],
      ['etcron apply -f jobs.yaml', 'put its jobs into etcd'],
      ['etcron worker --endpoints etcd1:2379,etcd2:2379', 'one worker of a cluster'],
      ['etcron runs list --outcome failed', 'what went wrong lately'],
    ]) + EXIT_CODES,
  );
  shareSettings(program);
  provideEnvironment(program, environment);
  return program;
}

/** Runs one command line (without `node` and the script) and returns its exit code. Never rejects. */
export async function runCli(args: readonly string[], environment: CliEnvironment): Promise<number> {
  const program = createProgram(environment);
  try {
    await program.parseAsync(args, { from: 'user' });
    return contextOf(program).exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return 0;
      // The help was shown on stderr, since a command group needs one of its commands: also a matter of usage.
      if (error.code === 'commander.help') return error.exitCode === 0 ? 0 : 2;
      return reportError(usageError(error), environment, wantsJson(args));
    }
    return reportError(error, environment, wantsJson(args));
  }
}

/** Commands that were added, unlike those made by `.command()`, take nothing over by themselves. */
function shareSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    shareSettings(command);
  }
}

function usageError(error: CommanderError): EtcronError {
  const [, message, suggestion] = /^(?:error: )?(.*?)(?:\n\((.*)\))?$/s.exec(error.message) ?? [];
  return new EtcronError('ETCRON_USAGE', message ?? error.message, {
    hint: suggestion ?? 'See "etcron --help", or "etcron <command> --help".',
  });
}

/** Also where the command line could not be parsed. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).includes('--json');
}
