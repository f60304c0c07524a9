/** Entries of an output as objects for JSON: a line each, or the data of an event. */
import { isoText } from '../../etcd/record.js';
import type { OutputEntry } from '../../run/output/read-attempt.js';
import { outputLine, type OutputLine } from '../schemas/output.js';

/** With `exact` all bytes as base64, for programs. */
export function toLine(entry: OutputEntry, exact = false): OutputLine {
  switch (entry.kind) {
    case 'output': {
      const { stream, atMs, offset, bytes } = entry;
      const text = exact ? null : textOf(bytes);
      const common = { stream, time: isoText(atMs), offset };
      return text === null ? { ...common, base64: bytes.toString('base64') } : { ...common, text };
    }
    case 'gap':
      return { offset: entry.offset, gap: entry.bytes };
    case 'end':
      return { offset: entry.offset, end: true, complete: entry.complete };
  }
}

/** The inverse. Throws for what is none. */
export function fromLine(text: string): OutputEntry {
  const line = outputLine.parse(JSON.parse(text));
  if ('gap' in line) return { kind: 'gap', offset: line.offset, bytes: line.gap };
  if ('end' in line) return { kind: 'end', offset: line.offset, complete: line.complete };
  const bytes = line.base64 === undefined ? Buffer.from(line.text ?? '') : Buffer.from(line.base64, 'base64');
  return { kind: 'output', stream: line.stream, atMs: Date.parse(line.time), offset: line.offset, bytes };
}

/** Null for bytes that are not UTF-8. */
function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
