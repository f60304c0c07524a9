/** The audit record as a file: a record a line (JSON), or a change a line (CSV, RFC 4180) for a spreadsheet. */
import { isoText } from '../../etcd/record.js';
import type { AuditEntry } from './list-audit.js';

export const AUDIT_FORMATS = ['ndjson', 'csv'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

const COLUMNS = ['at', 'actor', 'role', 'via', 'key', 'before', 'after'] as const;

export function auditToJson({ id, at, actor, changes }: AuditEntry) {
  return { id, at: isoText(at), actor, changes: [...changes] };
}

/** Pieces of the file, as the records come. */
export async function* auditFile(
  entries: AsyncIterable<AuditEntry>,
  format: AuditFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(COLUMNS);
  for await (const entry of entries) {
    if (format === 'ndjson') yield `${JSON.stringify(auditToJson(entry))}\n`;
    else yield csvLines(entry);
  }
}

function csvLines({ at, actor, changes }: AuditEntry): string {
  const { name, role, via } = actor;
  return changes
    .map(({ key, before, after }) =>
      csvLine([isoText(at), name, role, via, key, before ?? '', after ?? ''].map(plainText)),
    )
    .join('');
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')}\r\n`;
}

/** A spreadsheet takes a text that begins like this for a formula, and would run what somebody wrote into a job. */
function plainText(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}
