import { OUTCOMES, type Outcome, type RunRecord } from '../history/run-record.js';
import type { Colors } from './context.js';
import type { Styled } from './table.js';
import { shortDuration } from '../time-text.js';

/** What a person wants to hear of: it ran, or should have run, and did not end well. */
export const FAILURES: readonly Outcome[] = ['failed', 'timed_out', 'killed', 'lost', 'missed'];

export { OUTCOMES };

/** An outcome in its colour. */
export function styledOutcome(outcome: Outcome, colors: Colors): Styled {
  return { text: outcome, paint: outcomePaint(outcome, colors) };
}

function outcomePaint(outcome: Outcome, colors: Colors): (text: string) => string {
  if (outcome === 'succeeded') return colors.green;
  return outcome === 'skipped' || outcome === 'cancelled' ? colors.yellow : colors.red;
}

/** Why, in one line: the reason, or what it covers. */
export function outcomeReason(record: RunRecord): string {
  if (record.missed === null) return record.reason ?? '';
  const { count, atLeast } = record.missed;
  const covered = `${atLeast ? 'at least ' : ''}${count} due time${count === 1 ? '' : 's'}`;
  return record.reason === null ? covered : `${covered}: ${record.reason}`;
}

export function durationText(record: RunRecord): string {
  return record.durationMs === null ? '' : shortDuration(record.durationMs);
}
