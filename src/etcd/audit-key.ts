/**
 * `<time>-<random>-<kB>`: how an audit record is named. The time puts them in order; the size lets whoever prunes them keep
 * within a bound without reading them.
 */
import { isoMs, isoText } from './record.js';

export interface AuditKey {
  /** When it was written, by the clock of who wrote it. */
  readonly atMs: number;
  /** Of the value, rounded up to whole kB. */
  readonly sizeBytes: number;
}

const AUDIT_KEY = /^(.{24})-[0-9a-f]{12}-(\d{1,5})$/s;

export function formatAuditKey({ atMs, sizeBytes }: AuditKey, random: string): string {
  return `${isoText(atMs)}-${random}-${Math.ceil(sizeBytes / 1_024)}`;
}

/** `name`: the key below `access/audit/`. Null for anything else. */
export function parseAuditKey(name: string): AuditKey | null {
  const [, time, size] = AUDIT_KEY.exec(name) ?? [];
  const atMs = isoMs(time);
  return atMs === null || size === undefined ? null : { atMs, sizeBytes: Number(size) * 1_024 };
}
