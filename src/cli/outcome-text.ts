import { FAILURES, outcomeReason } from '../history/outcomes.js';
import { OUTCOMES, type Outcome, type RunRecord } from '../history/run-record.js';
import type { Colors } from './context.js';
import type { Styled } from './table.js';
import { shortDuration } from '../time-text.js';

export { FAILURES, OUTCOMES, outcomeReason };

/** An outcome in its colour. */
export function styledOutcome(outcome: Outcome, colors: Colors): Styled {
  return { text: outcome, paint: outcomePaint(outcome, colors) };
}

function outcomePaint(outcome: Outcome, colors: Colors): (text: string) => string {
  if (outcome === 'succeeded') return colors.green;
  return outcome === 'skipped' || outcome === 'cancelled' ? colors.yellow : colors.red;
}

export function durationText(record: RunRecord): string {
  return record.durationMs === null ? '' : shortDuration(record.durationMs);
}
