import { lockRecordSchema, type LockRecord } from '../../claim/lock-record.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { decodeRecord } from '../../etcd/record.js';
import { prefixRange, type KeyValue } from '../../etcd/store.js';
import { get } from '../../etcd/txn.js';
import { getRun, type RunEntry } from '../../history/history.js';
import type { RunRecord } from '../../history/run-record.js';
import type { FiringEntry } from '../../view/cluster-view.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { describeFiring, firingState, type FiringState } from '../../operations/firing-state.js';
import { outcomeReason, styledOutcome } from '../outcome-text.js';
import { runIdOf, runNotFound } from '../../operations/find-run.js';
import { firingEntry, reasonToWait, takeSnapshot } from '../../operations/snapshot.js';
import { renderFields } from '../table.js';
import { isoOrNull, relativeText, shortDuration, timeText } from '../../time-text.js';
import { printOutput } from './output-text.js';
import { runToJson } from './run-rows.js';

type Field = Parameters<typeof renderFields>[1][number];

/** A run that is not over. */
interface InFlight {
  readonly firing: FiringEntry;
  readonly state: FiringState;
  /** What keeps it from its turn. */
  readonly why: string | null;
  readonly lock: (LockRecord & { readonly fencingToken: string }) | null;
}

/** Shows one run: its record, or, while it is not over, where it stands. */
export async function showRun(context: CliContext, text: string): Promise<void> {
  const id = runIdOf(text);
  await context.withStore(async (cluster) => {
    const ended = await getRun(cluster.store, cluster.keys, id);
    const inFlight = ended ? null : await readInFlight(context, cluster, id);
    // It may have ended between the two reads.
    const run = ended ?? (inFlight ? null : await getRun(cluster.store, cluster.keys, id));
    if (run) printRun(context, run);
    else if (inFlight) printInFlight(context, inFlight);
    else throw runNotFound(id);
  });
}

export function printRun(context: CliContext, run: RunEntry): void {
  if (context.json) return context.out.json(runToJson(run));
  const { record, problem, id } = run;
  if (record === null) {
    context.out.line(renderFields(context, [...identity(id), ['record', `damaged: ${problem}`]]));
    return;
  }
  context.out.line(renderFields(context, [...identity(id), ...recordFields(context, record)]));
  printOutput(context, record);
  if (record.stdout?.truncated === true || record.stderr?.truncated === true)
    context.out.line(`\n${context.colors.dim(`All of it: etcron logs '${formatRunId(id)}'`)}`);
}

async function readInFlight(
  context: CliContext,
  { store, keys }: Cluster,
  id: FiringId,
): Promise<InFlight | null> {
  const { results } = await store.txn({ compare: [], success: [get(keys.firing(id)), get(keys.lock(id))] });
  const [firingKv, lockKv] = results.map((result) => (result.type === 'get' ? result.kvs[0] : undefined));
  const firing = firingKv ? firingEntry(keys, firingKv) : null;
  if (!firing) return null;
  const workers = await store.range(prefixRange(keys.workers), { keysOnly: true });
  const live = new Set(
    workers.kvs.filter(({ leaseId }) => leaseId !== null).map(({ key }) => key.slice(keys.workers.length)),
  );
  const state = firingState(firing, live, context.clock.now());
  const isStuck = state === 'queued' || state === 'late';
  return {
    ...{ firing, state },
    why: isStuck ? reasonToWait(await takeSnapshot({ store, keys }), firing) : null,
    lock: lockKv ? lockOf(lockKv) : null,
  };
}

function lockOf(kv: KeyValue): InFlight['lock'] {
  const decoded = decodeRecord(lockRecordSchema, kv);
  return decoded.ok ? { ...decoded.value, fencingToken: String(kv.createRevision) } : null;
}

function printInFlight(context: CliContext, { firing, state, why, lock }: InFlight): void {
  const nowMs = context.clock.now();
  const { id, runId, value } = firing;
  if (context.json) {
    const { attempt, crashes, node, notBefore, origin, misfire, requestedBy } = value;
    const claim = lock && { ...lock, claimedAt: isoOrNull(lock.claimedAt) };
    const due = isoOrNull(id.dueMs);
    return context.out.json({
      ...{ run: runId, job: id.job, due, state, attempt, crashes, node, notBefore: isoOrNull(notBefore) },
      ...{ manual: origin === 'manual', misfire, requestedBy, why, lock: claim },
    });
  }
  const fields: Field[] = [...identity(id), ['state', describeFiring(firing, state, nowMs, why)]];
  if (value.attempt > 0) fields.push(['attempts', `${value.attempt}${crashesText(value.crashes)}`]);
  if (value.node !== null) fields.push(['node', value.node]);
  if (lock) fields.push(['claimed', `${timeText(lock.claimedAt)}, fencing token ${lock.fencingToken}`]);
  if (value.requestedBy !== null) fields.push(['asked by', value.requestedBy]);
  if (state === 'running') fields.push(['output', `etcron logs -f '${runId}'`]);
  context.out.line(renderFields(context, fields));
}

function identity(id: FiringId): Field[] {
  return [
    ['run', formatRunId(id)],
    ['job', id.job],
    ['due', timeText(id.dueMs)],
  ];
}

function recordFields({ clock, colors }: CliContext, record: RunRecord): Field[] {
  const fields: Field[] = [['outcome', styledOutcome(record.outcome, colors)]];
  const add = (label: string, value: string | number | null): void => {
    if (value !== null && value !== '') fields.push([label, String(value)]);
  };
  add('why', outcomeReason(record));
  add('exit code', record.exitCode);
  add('signal', record.signal);
  if (record.attempts > 0) add('attempts', `${record.attempts}${crashesText(record.crashes)}`);
  add('worker', record.worker === null ? record.nodeId : `${record.worker} (${record.nodeId ?? '?'})`);
  if (record.startedAt !== null) add('started', timeText(record.startedAt));
  if (record.latenessMs !== null) add('late by', shortDuration(record.latenessMs));
  if (record.endedAt !== null) add('ended', timeText(record.endedAt));
  if (record.durationMs !== null) add('took', shortDuration(record.durationMs));
  add('fencing token', record.fencingToken);
  if (record.manual) add('asked for', 'by hand');
  add('repeats', record.rerunOf);
  if (record.missed) add('missed', `${timeText(record.missed.from)} … ${timeText(record.missed.through)}`);
  if (record.late) add('late end', `${record.late.outcome} after its lease was lost`);
  add('recorded', `${timeText(record.recordedAt)} (${relativeText(record.recordedAt, clock.now())})`);
  return fields;
}

function crashesText(crashes: number): string {
  return crashes === 0 ? '' : ` (${crashes} lost with a worker)`;
}
