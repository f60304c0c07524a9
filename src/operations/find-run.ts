import { EtcronError } from '../errors.js';
import { formatRunId, parseRunId, type FiringId } from '../etcd/keys.js';
import { quote } from '../jobs/index.js';

/** Throws ETCRON_USAGE for a text that is no run id. */
export function runIdOf(text: string): FiringId {
  const id = parseRunId(text);
  if (id !== null) return id;
  throw new EtcronError('ETCRON_USAGE', `${quote(text)} is not a run id`, {
    hint: 'Write it as "etcron runs list" shows it: <job>/2026-11-21T14:00:00.000Z',
  });
}

export function runNotFound(id: FiringId): EtcronError {
  return new EtcronError('ETCRON_RUN_NOT_FOUND', `there is no run ${formatRunId(id)}`, {
    hint: `Old records are pruned; "etcron runs list --job ${id.job}" shows those that are there.`,
    details: { run: formatRunId(id) },
  });
}
