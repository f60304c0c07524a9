/** Run records as rows of a table and as JSON. */
import { encodeRecord } from '../../etcd/record.js';
import type { RunEntry } from '../../history/history.js';
import { runRecordSchema } from '../../history/run-record.js';
import type { CliContext } from '../context.js';
import { durationText, outcomeReason, styledOutcome } from '../outcome-text.js';
import type { Styled } from '../table.js';
import { shortDuration } from '../../time-text.js';

export const RUN_HEAD = ['RUN', 'OUTCOME', 'TOOK', 'LATE', 'TRIES', 'WORKER', 'WHY'];

const MAX_REASON_LENGTH = 60;

export function runRows(context: CliContext, runs: readonly RunEntry[]): (string | Styled)[][] {
  const { colors } = context;
  return runs.map(({ runId, record, problem }) => {
    if (record === null)
      return [runId, { text: 'damaged', paint: colors.red }, '', '', '', '', problem ?? ''];
    return [
      runId,
      styledOutcome(record.outcome, colors),
      durationText(record),
      record.latenessMs === null ? '' : shortDuration(record.latenessMs),
      record.attempts === 0 ? '' : String(record.attempts),
      record.worker ?? '',
      shortened(outcomeReason(record)),
    ];
  });
}

/** With times as ISO text, as they stand in etcd. */
export function runToJson({ runId, id, record, problem }: RunEntry): unknown {
  const due = new Date(id.dueMs).toISOString();
  if (record === null) return { run: runId, job: id.job, due, problem };
  return { run: runId, job: id.job, due, ...(JSON.parse(encodeRecord(runRecordSchema, record)) as object) };
}

function shortened(text: string): string {
  return text.length <= MAX_REASON_LENGTH ? text : `${text.slice(0, MAX_REASON_LENGTH - 1)}…`;
}
