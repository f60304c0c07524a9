import type { TokenEntry } from '../../operations/tokens/list-tokens.js';
import { isoText } from '../../etcd/record.js';

/** A token as the API shows it. */
export function tokenToJson({ id, record, problem }: TokenEntry): Record<string, unknown> {
  if (record === null) return { id, problem };
  const { name, role, createdAt, createdBy, expiresAt } = record;
  return { id, name, role, createdAt: isoText(createdAt), createdBy, expires: isoText(expiresAt) };
}
