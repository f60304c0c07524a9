/** The examples at the end of a command's help: command lines and what each is for. */
export function examples(rows: readonly (readonly [line: string, purpose: string])[]): string {
  const width = Math.max(...rows.map(([line]) => line.length));
  return ['\nExamples:', ...rows.map(([line, purpose]) => `  ${line.padEnd(width)}  ${purpose}`), ''].join(
    '\n',
  );
}
