/** Outcomes as people see them. */
import type { Outcome, RunRecord } from './run-record.js';

/** What a person wants to hear of: it ran, or should have run, and did not end well. */
export const FAILURES: readonly Outcome[] = ['failed', 'timed_out', 'killed', 'lost', 'missed'];

/** Why, in one line: the reason, or what it covers. */
export function outcomeReason(record: RunRecord): string {
  if (record.missed === null) return record.reason ?? '';
  const { count, atLeast } = record.missed;
  const covered = `${atLeast ? 'at least ' : ''}${count} due time${count === 1 ? '' : 's'}`;
  return record.reason === null ? covered : `${covered}: ${record.reason}`;
}
