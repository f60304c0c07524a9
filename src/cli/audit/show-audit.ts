import { printableJson } from '../../jobs/printable.js';
import type { AuditChange } from '../../operations/audit/audit-record.js';
import { auditToJson } from '../../operations/audit/export-audit.js';
import { eachAudit, type AuditEntry } from '../../operations/audit/list-audit.js';
import { timeText } from '../../time-text.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

export interface ShowAuditOptions {
  /** In ms. */
  readonly since?: number;
  readonly until?: number;
  readonly actor?: string;
  readonly job?: string;
  readonly limit: number;
  readonly export?: 'ndjson';
}

/** Changes of one record that are named; the others are counted. */
const NAMED = 3;

/** The newest records; with `export` all of them, as they are read. */
export async function showAudit(context: CliContext, options: ShowAuditOptions): Promise<void> {
  await context.withStore(async (cluster) => {
    const { out } = context;
    const { since, until, actor, job } = options;
    const query = { fromMs: since, toMs: until, actor, job };
    if (options.export === 'ndjson') {
      for await (const entry of eachAudit(cluster, query))
        out.line(printableJson(JSON.stringify(auditToJson(entry))));
      return;
    }
    const shown: AuditEntry[] = [];
    for await (const entry of eachAudit(cluster, query, options.limit)) shown.push(entry);
    if (context.json) return out.json({ records: shown.map(auditToJson) });
    if (shown.length === 0) return out.line('No changes were recorded.');
    const rows = shown.map(({ at, actor, changes }) => [
      timeText(at),
      `${actor.name} (${actor.via})`,
      changesText(changes),
    ]);
    out.line(renderTable(context, ['AT', 'WHO', 'WHAT'], rows));
    out.note(context.colors.dim('With --json: what each value was before and after.'));
  });
}

function changesText(changes: readonly AuditChange[]): string {
  const shown = changes.slice(0, NAMED).map((change) => `${verbOf(change)} ${change.key}`);
  const rest = changes.length - NAMED;
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}

function verbOf({ before, after }: AuditChange): string {
  if (after === null) return 'deleted';
  return before === null ? 'created' : 'changed';
}
