import { isoText } from '../../etcd/record.js';
import { printableJson } from '../../jobs/printable.js';
import type { AuditChange } from '../../operations/audit/audit-record.js';
import { listAudit, type AuditEntry } from '../../operations/audit/list-audit.js';
import { timeText } from '../../time-text.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
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

const PAGE_SIZE = 200;
/** Changes of one record that are named; the others are counted. */
const NAMED = 3;

/** The newest records; with `export` all of them, as they are read. */
export async function showAudit(context: CliContext, options: ShowAuditOptions): Promise<void> {
  await context.withStore(async (cluster) => {
    const { out } = context;
    if (options.export === 'ndjson') {
      for await (const entry of entries(cluster, options, Infinity))
        out.line(printableJson(JSON.stringify(auditToJson(entry))));
      return;
    }
    const shown: AuditEntry[] = [];
    for await (const entry of entries(cluster, options, options.limit)) shown.push(entry);
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

async function* entries(
  cluster: Cluster,
  { since, until, actor, job }: ShowAuditOptions,
  most: number,
): AsyncGenerator<AuditEntry> {
  let cursor: string | undefined;
  for (let left = most; left > 0;) {
    const limit = Math.min(left, PAGE_SIZE);
    const { records, next } = await listAudit(cluster, {
      ...{ fromMs: since, toMs: until, actor, job, limit, cursor },
    });
    yield* records;
    left -= records.length;
    if (next === null) return;
    cursor = next;
  }
}

function auditToJson({ id, at, actor, changes }: AuditEntry): unknown {
  return { id, at: isoText(at), actor, changes };
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
