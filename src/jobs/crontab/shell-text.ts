/** `text` as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A script for `/bin/sh` in which `command` reads `input`. The here-document is that of the shell itself, so that all
 * parts of a pipeline or a list share it, as they share the standard input that cron gives them.
 */
export function withInput(command: string, input: string): string {
  const lines = input.split('\n');
  let mark = 'INPUT';
  while (lines.includes(mark)) mark += '_';
  return `exec <<'${mark}'\n${input}${mark}\n${command}`;
}
