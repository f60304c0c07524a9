import { CommanderError } from 'commander';
import { EtcronError, messageOf } from '../src/errors.js';

/** Says on stderr why a run did not come about (commander has said it for a wrong flag); returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`error: ${messageOf(error)}\n`);
  if (error instanceof EtcronError && error.hint !== undefined) process.stderr.write(`${error.hint}\n`);
  return 1;
}
