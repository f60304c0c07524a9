/** Reads the audit record, the newest first. */
import { parseAuditKey } from '../../etcd/audit-key.js';
import { isoText } from '../../etcd/record.js';
import { readPage } from '../../etcd/listing.js';
import type { Cluster } from '../../etcd/cluster.js';
import { decodeAudit, type AuditRecord } from './audit-record.js';

export interface AuditQuery {
  /** In ms; both ends are included. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** The name of who did it. */
  readonly actor?: string | undefined;
  /** Text that a changed key contains. */
  readonly key?: string | undefined;
  /** The name of a job: changes of it, its runs and requests to them. */
  readonly job?: string | undefined;
  readonly limit: number;
  /** The id of the last record of the page before. */
  readonly cursor?: string | undefined;
}

export interface AuditEntry extends AuditRecord {
  /** The key below `access/audit/`. */
  readonly id: string;
}

export interface AuditPage {
  readonly records: readonly AuditEntry[];
  /** Where to go on; null: that was all. */
  readonly next: string | null;
}

const PAGE_SIZE = 200;
/** A question that nearly nothing answers does not read everything in one go. */
const MAX_READ = 5_000;

/** Rejects with a `StoreError`. Values that etcron did not write are left out. */
export async function listAudit({ store, keys }: Cluster, query: AuditQuery): Promise<AuditPage> {
  const start = keys.audit + (query.fromMs === undefined ? '' : isoText(query.fromMs));
  const last = query.toMs === undefined ? '~' : `${isoText(query.toMs)}~`;
  let end = keys.audit + (query.cursor !== undefined && query.cursor < last ? query.cursor : last);
  const records: AuditEntry[] = [];
  for (let read = 0; start < end;) {
    const page = await readPage(store, { start, end }, { limit: PAGE_SIZE, descending: true });
    for (const kv of page.kvs) {
      const id = kv.key.slice(keys.audit.length);
      end = kv.key;
      const decoded = parseAuditKey(id) === null ? null : decodeAudit(kv);
      if (!decoded?.ok || !matches(decoded.value, query)) continue;
      records.push({ id, ...decoded.value });
      if (records.length === query.limit) return { records, next: id };
    }
    read += page.kvs.length;
    if (!page.more || page.kvs.length === 0) break;
    if (read >= MAX_READ) return { records, next: end.slice(keys.audit.length) };
  }
  return { records, next: null };
}

/** All that match, or the newest `most` of them, read as they are asked for. */
export async function* eachAudit(
  cluster: Cluster,
  query: Omit<AuditQuery, 'limit' | 'cursor'>,
  most = Infinity,
): AsyncGenerator<AuditEntry> {
  let cursor: string | undefined;
  for (let left = most; left > 0;) {
    const limit = Math.min(left, PAGE_SIZE);
    const { records, next } = await listAudit(cluster, { ...query, limit, cursor });
    yield* records;
    left -= records.length;
    if (next === null) return;
    cursor = next;
  }
}

function matches({ actor, changes }: AuditRecord, query: AuditQuery): boolean {
  if (query.actor !== undefined && actor.name !== query.actor) return false;
  const { key, job } = query;
  if (key !== undefined && !changes.some((change) => change.key.includes(key))) return false;
  return job === undefined || changes.some((change) => isOfJob(change.key, job));
}

/** `jobs/<job>`, `sets/<job>`, `firings/<job>/<due>`, `kill/<job>/<due>`. */
function isOfJob(key: string, job: string): boolean {
  const [kind, name] = key.split('/');
  return ['jobs', 'sets', 'firings', 'kill'].includes(kind ?? '') && name === job;
}
