/** What is kept in memory of a run record: everything that lists show, and nothing of its output. */
import type { FiringId } from '../../etcd/keys.js';
import type { KeyValue } from '../../etcd/store.js';
import type { RunEntry } from '../../history/history.js';
import { outcomeReason } from '../../history/outcomes.js';
import { decodeRun, type Outcome } from '../../history/run-record.js';

export interface RunItem {
  readonly id: FiringId;
  /** Null for a damaged record. */
  readonly outcome: Outcome | null;
  readonly reason: string | null;
  readonly attempts: number;
  readonly crashes: number;
  readonly worker: string | null;
  readonly node: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly durationMs: number | null;
  readonly latenessMs: number | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly recordedAt: number | null;
  readonly manual: boolean;
  readonly hasOutput: boolean;
}

/** So much of a reason is shown in a list; the run itself tells the rest. */
const MAX_REASON = 300;

/** `share` gives the same text for equal texts: there are few names, and many records. */
export function runItem(
  id: FiringId,
  kv: Pick<KeyValue, 'value'>,
  share: (text: string) => string = (text) => text,
): RunItem {
  const decoded = decodeRun(kv);
  const [record, problem] = decoded.ok ? [decoded.value, null] : [null, decoded.problem];
  return itemOf({ id, record, problem }, share);
}

/** The same of a record that was decoded. */
export function itemOf(
  { id, record, problem }: Pick<RunEntry, 'id' | 'record' | 'problem'>,
  share: (text: string) => string = (text) => text,
): RunItem {
  if (record === null) return { ...NOTHING, id, reason: `the record is damaged: ${problem}` };
  const shared = (text: string | null): string | null => (text === null ? null : share(text));
  const reason = outcomeReason(record).slice(0, MAX_REASON);
  return {
    id,
    outcome: record.outcome,
    reason: reason === '' ? null : share(reason),
    attempts: record.attempts,
    crashes: record.crashes,
    worker: shared(record.worker),
    node: shared(record.nodeId),
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    durationMs: record.durationMs,
    latenessMs: record.latenessMs,
    exitCode: record.exitCode,
    signal: shared(record.signal),
    recordedAt: record.recordedAt,
    manual: record.manual,
    hasOutput: (record.stdout?.totalBytes ?? 0) + (record.stderr?.totalBytes ?? 0) > 0,
  };
}

const NOTHING: Omit<RunItem, 'id'> = {
  outcome: null,
  reason: null,
  attempts: 0,
  crashes: 0,
  worker: null,
  node: null,
  startedAt: null,
  endedAt: null,
  durationMs: null,
  latenessMs: null,
  exitCode: null,
  signal: null,
  recordedAt: null,
  manual: false,
  hasOutput: false,
};

/** Where a run stands in the order of lists. */
export type Position = Pick<FiringId, 'job' | 'dueMs' | 'suffix'>;

/** Newest due time first, then by job and suffix: negative when `a` comes first. */
export function newestFirst(a: Position, b: Position): number {
  if (a.dueMs !== b.dueMs) return b.dueMs - a.dueMs;
  if (a.job !== b.job) return a.job < b.job ? -1 : 1;
  const [first, second] = [a.suffix ?? '', b.suffix ?? ''];
  return first < second ? -1 : first > second ? 1 : 0;
}
