import Table from 'cli-table3';
import { printable } from '../jobs/printable.js';
import type { CliContext } from './context.js';

/** Columns without borders, headings dimmed; cells come from etcd and are made safe for a terminal unless `styled`. */
export function renderTable(
  { colors }: CliContext,
  head: readonly string[],
  rows: readonly (readonly (string | Styled)[])[],
): string {
  const table = new Table({
    head: head.map((title) => colors.dim(title)),
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push(
      row.map((cell) => (typeof cell === 'string' ? printable(cell) : cell.paint(printable(cell.text)))),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A cell with a colour. */
export interface Styled {
  readonly text: string;
  readonly paint: (text: string) => string;
}

/** `label: value` lines with the values below each other; values may hold several lines. */
export function renderFields(
  { colors }: CliContext,
  fields: readonly (readonly [label: string, value: string | Styled])[],
): string {
  const width = Math.max(...fields.map(([label]) => label.length)) + 2;
  return fields
    .map(([label, value]) => {
      const text = typeof value === 'string' ? value : value.text;
      const paint = typeof value === 'string' ? (line: string): string => line : value.paint;
      const lines = text.split('\n').map((line) => paint(printable(line)));
      return colors.dim(label.padEnd(width)) + lines.join(`\n${' '.repeat(width)}`);
    })
    .join('\n');
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
