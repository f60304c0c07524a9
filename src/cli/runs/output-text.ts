import type { RunRecord } from '../../history/run-record.js';
import { printable } from '../../jobs/printable.js';
import type { CliContext } from '../context.js';

/** The end of what a run wrote, marked where it was cut, without what a terminal would obey. */
export function printOutput({ out, colors }: CliContext, record: RunRecord): void {
  for (const [name, output] of [
    ['stdout', record.stdout],
    ['stderr', record.stderr],
  ] as const) {
    if (output === null || output.totalBytes === 0) continue;
    const cut = output.truncated ? `, the end of ${output.totalBytes} bytes` : '';
    out.line(`\n${colors.bold(name)}${colors.dim(cut)}`);
    if (output.truncated) out.line(colors.yellow('[… cut]'));
    out.line(safeText(output.text));
  }
}

function safeText(text: string): string {
  return text
    .replace(/\r?\n$/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, '').split('\t').map(printable).join('\t'))
    .join('\n');
}
