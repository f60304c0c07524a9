/** How a run record is summed up in a few words. */
import type { Outcome, RunRecord } from '../../history/run-record.js';

const SYMBOLS: Readonly<Record<Outcome, string>> = {
  succeeded: '✓',
  failed: '✗',
  timed_out: '⏱',
  killed: '■',
  skipped: '↷',
  missed: '∅',
  lost: '☠',
  cancelled: '⊗',
};

/** Something went wrong with the run, as against one that never was to start. */
export function isFailure(outcome: Outcome): boolean {
  return outcome === 'failed' || outcome === 'timed_out' || outcome === 'killed' || outcome === 'lost';
}

/** Such as `✓ succeeded`, `✗ failed exit 2`, `↷ skipped (overlap)`. */
export function outcomeText(record: RunRecord): string {
  const text = `${SYMBOLS[record.outcome]} ${record.outcome}${detail(record)}`;
  return record.manual ? `${text} (manual)` : text;
}

function detail({ outcome, exitCode, signal, reason, missed }: RunRecord): string {
  if (outcome === 'failed') {
    if (exitCode !== null) return ` exit ${exitCode}`;
    return signal === null ? '' : ` ${signal}`;
  }
  if (outcome === 'skipped' && reason?.startsWith('overlap') === true) return ' (overlap)';
  if (outcome === 'missed' && missed !== null) return ` ${missed.count}${missed.atLeast ? '+' : ''} due`;
  return '';
}

/**
 * The one line worth showing beside the outcome: why a run failed that did not end as a process, such as a request; the last line
 * of output (of stderr first, when the run failed); or the reason, when there was none and the outcome does not say
 * it already. Empty when there is nothing to say.
 */
export function remark(record: RunRecord): string {
  const { outcome, stdout, stderr, reason, exitCode, signal } = record;
  const saidAlready = outcome === 'failed' && (exitCode !== null || signal !== null);
  if (outcome === 'failed' && !saidAlready && reason !== null) return reason;
  const streams = outcome === 'succeeded' ? [stdout, stderr] : [stderr, stdout];
  for (const stream of streams) {
    const line = lastLine(stream?.text ?? '');
    if (line !== '') return line;
  }
  return saidAlready ? '' : (reason ?? '').replace(/^overlap: /, '');
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!.trim();
}
