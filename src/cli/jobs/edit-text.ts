/** The text that stands in the editor: a heading of etcron's own, then what the user may change. */
import { formatProblem, printable, type Problem } from '../../jobs/index.js';

const MARK = '#:';

/** `problems` are about `body`; their lines are given as the lines of the whole. */
export function withHeading(
  about: string,
  body: string,
  problems: readonly Problem[],
  how = 'Save it and close the editor to write it. Change nothing, or delete all, to leave the job as it is.',
): string {
  const wrong = problems.length === 0 ? [] : ['', 'This is wrong with it:'];
  const count = 2 + wrong.length + problems.length;
  const shown = problems.map((problem) =>
    formatProblem(problem.line === undefined ? problem : { ...problem, line: problem.line + count }),
  );
  const lines = [about, how, ...wrong, ...shown];
  return `${lines.map((line) => `${MARK} ${printable(line)}`.trimEnd()).join('\n')}\n${body}`;
}

/** What follows the heading. */
export function bodyOf(text: string): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => !line.startsWith(MARK));
  return first < 0 ? '' : lines.slice(first).join('\n');
}

/** Nothing but comments and blanks. */
export function isEmptied(body: string): boolean {
  return body.split('\n').every((line) => /^\s*(?:#.*)?$/.test(line));
}
