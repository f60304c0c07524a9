import { expect, it } from 'vitest';
import { auditFile, type AuditFormat } from '../../../src/operations/audit/export-audit.js';
import type { AuditEntry } from '../../../src/operations/audit/list-audit.js';

const ENTRY: AuditEntry = {
  id: '2026-01-01T00:00:00.000Z-x',
  at: Date.UTC(2026, 0, 1),
  actor: { name: 'ann', role: 'admin', via: 'page' },
  changes: [
    { key: 'jobs/a', before: null, after: '=HYPERLINK("http://x")' },
    { key: 'jobs/b', before: 'two\nlines, "quoted"', after: null },
  ],
};

async function file(format: AuditFormat): Promise<string> {
  async function* entries(): AsyncGenerator<AuditEntry> {
    yield await Promise.resolve(ENTRY);
  }
  let text = '';
  for await (const piece of auditFile(entries(), format)) text += piece;
  return text;
}

it('is a change a line as CSV, of which a spreadsheet runs nothing', async () => {
  expect(await file('csv')).toBe(
    [
      '"at","actor","role","via","key","before","after"',
      `"2026-01-01T00:00:00.000Z","ann","admin","page","jobs/a","","'=HYPERLINK(""http://x"")"`,
      '"2026-01-01T00:00:00.000Z","ann","admin","page","jobs/b","two\nlines, ""quoted""",""',
      '',
    ].join('\r\n'),
  );
});

it('is a record a line as JSON', async () => {
  const lines = (await file('ndjson')).split('\n');
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[0]!)).toEqual({ ...ENTRY, at: '2026-01-01T00:00:00.000Z' });
});
