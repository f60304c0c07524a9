/** Turns the text of a flag into its value, or says what is wrong with it. */
import { InvalidArgumentError } from 'commander';
import { DURATION_HELP, parseDuration } from '../duration.js';
import { momentProblem } from '../schedule/moment.js';

/** For `.option(flags, text, durationFlag)`: ms. */
export function durationFlag(text: string): number {
  const ms = parseDuration(text);
  if (ms === null)
    throw new InvalidArgumentError(`${DURATION_HELP[0]!.toUpperCase()}${DURATION_HELP.slice(1)}.`);
  return ms;
}

/** A whole number from `min` to `max`. */
export function integerFlag(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** A moment: ISO 8601, in UTC unless it says otherwise, or ms since the epoch. */
export function timeFlag(text: string): number {
  const isDateOnlyOrZoned = /^\d{4}-\d\d-\d\d(?:T.*(?:Z|[+-]\d\d:?\d\d))?$/i.test(text);
  const ms = /^\d{10,15}$/.test(text) ? Number(text) : Date.parse(isDateOnlyOrZoned ? text : `${text}Z`);
  if (!/^\d/.test(text) || Number.isNaN(ms)) {
    throw new InvalidArgumentError('Write it as 2026-11-21T14:00:00Z; without a zone it is taken as UTC.');
  }
  return ms;
}

/** A moment of a job, as it is written: `2026-12-01T08:00` is in the zone of the job. */
export function momentFlag(text: string): string {
  const problem = momentProblem(text);
  if (problem !== null) throw new InvalidArgumentError(`It ${problem.replace('\n', '; ')}.`);
  return text;
}

/** One line that a person may read. */
export function reasonFlag(text: string): string {
  // eslint-disable-next-line no-control-regex
  if (text.trim() !== '' && text.length <= 256 && !/[\u0000-\u001f\u007f-\u009f]/.test(text)) return text;
  throw new InvalidArgumentError('It must be one line of at most 256 characters, and not empty.');
}

/** The name of a set of files. */
export function setNameFlag(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)) {
    throw new InvalidArgumentError(
      'Use letters, digits, ".", "_" and "-", at most 128, and begin with a letter or a digit.',
    );
  }
  return text;
}

/** For a repeatable flag without a value of its own kind. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
