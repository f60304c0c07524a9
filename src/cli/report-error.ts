/** How an error reaches the person, or the program, at the command line. */
import pc from 'picocolors';
import { EtcronError, messageOf } from '../errors.js';
import { formatProblem, type Problem } from '../jobs/problem.js';
import type { CliEnvironment } from './environment.js';
import { wantsColors } from './output.js';

/** Writes the error to stderr, as text or as one JSON object, and returns the exit code that it stands for. */
export function reportError(thrown: unknown, environment: CliEnvironment, json: boolean): number {
  const error = thrown instanceof EtcronError ? thrown : unexpected(thrown);
  const { stderr, env } = environment;
  if (json) {
    stderr.write(`${JSON.stringify(toJson(error))}\n`);
  } else {
    const colors = pc.createColors(wantsColors(stderr, env));
    for (const problem of problemsOf(error)) stderr.write(`${formatProblem(problem)}\n`);
    stderr.write(`${colors.red('error:')} ${error.message} ${colors.dim(`[${error.code}]`)}\n`);
    if (error.hint !== undefined) stderr.write(`${colors.cyan('hint:')} ${error.hint}\n`);
  }
  if (env.ETCRON_DEBUG === '1') stderr.write(`${stackOf(thrown)}\n`);
  return error.exitCode;
}

function unexpected(thrown: unknown): EtcronError {
  return new EtcronError('ETCRON_INTERNAL', `unexpected: ${messageOf(thrown)}`, {
    hint: 'This is a defect in etcron. Run the command again with ETCRON_DEBUG=1 for the place, and report it.',
    cause: thrown,
  });
}

function toJson({ code, message, hint, details }: EtcronError): unknown {
  return { error: { code, message, ...(hint === undefined ? {} : { hint }), details } };
}

/** The findings that an error about job definitions carries. */
function problemsOf(error: EtcronError): readonly Problem[] {
  const { problems } = error.details;
  return Array.isArray(problems) ? (problems as Problem[]) : [];
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\ncaused by: ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
