/**
 * `%` in a command of a crontab, as cron itself reads it: the first one that has no backslash before it ends the command,
 * what follows is the standard input of the command, and each further one is a line break in it. `\%` is a percent sign.
 */
export interface CrontabCommand {
  readonly command: string;
  /** Null when there is none; ends with a line break. */
  readonly input: string | null;
}

export function splitPercent(written: string): CrontabCommand {
  const end = firstPercent(written);
  const command = unescapePercent(written.slice(0, end));
  const rest = written.slice(end + 1);
  return { command, input: rest === '' ? null : readInput(rest) };
}

/** A backslash keeps the next character, be it another backslash, from meaning anything to cron. */
function firstPercent(text: string): number {
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === '%') return index;
  }
  return text.length;
}

/** Only the backslash before a `%` goes; all others are the shell's. */
function unescapePercent(text: string): string {
  return text.replace(/\\([\s\S])/g, (pair, next: string) => (next === '%' ? '%' : pair));
}

/** Here a backslash counts for the next character only when that is a `%`. */
function readInput(text: string): string {
  const input = text.replace(/\\%|%/g, (found) => (found === '%' ? '\n' : '%'));
  return input.endsWith('\n') ? input : `${input}\n`;
}
