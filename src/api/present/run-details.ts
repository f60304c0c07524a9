/** One run with everything that is known of it: read from etcd, since it may be older than what is held in memory. */
import { lockRecordSchema } from '../../claim/lock-record.js';
import type { FiringId } from '../../etcd/keys.js';
import { decodeRecord } from '../../etcd/record.js';
import type { KeyValue } from '../../etcd/store.js';
import { get } from '../../etcd/txn.js';
import { decodeRun, type RunRecord } from '../../history/run-record.js';
import { runNotFound } from '../../operations/find-run.js';
import { firingEntry } from '../../operations/snapshot.js';
import { killRecordSchema } from '../../view/kill-record.js';
import type { ApiContext } from '../context.js';
import { runItem } from '../reader/run-item.js';
import type { ClusterReader } from '../reader/cluster-reader.js';
import type { RunDetails } from '../schemas/runs.js';
import { firingToRun, recordToRun } from './run-view.js';
import { isoText } from './text.js';

/** Rejects with ETCRON_RUN_NOT_FOUND. */
export async function readRunDetails(
  { store, keys, clock }: ApiContext,
  reader: ClusterReader,
  id: FiringId,
): Promise<RunDetails> {
  const wanted = [keys.run(id), keys.firing(id), keys.lock(id), keys.kill(id), keys.job(id.job)];
  const { results } = await store.txn({ compare: [], success: wanted.map((key) => get(key)) });
  const [record, firing, lock, kill, job] = results.map((result) =>
    result.type === 'get' ? result.kvs[0] : undefined,
  );
  const common = { kill: killOf(kill), jobExists: job !== undefined };
  if (record) return { ...endedDetails(id, record), ...common };
  const entry = firing ? firingEntry(keys, firing) : null;
  if (!entry || !firing) throw runNotFound(id);
  const { view } = await reader.live.use();
  const claim = lock ? decodeRecord(lockRecordSchema, lock) : null;
  const run = firingToRun(view, entry, clock.now());
  return {
    ...run,
    ...NOTHING_YET,
    ...common,
    killRequested: kill !== undefined,
    claimedAt: claim?.ok ? isoText(claim.value.claimedAt) : null,
    fencingToken: lock ? String(lock.createRevision) : null,
    requestedBy: entry.value.requestedBy,
    misfire: entry.value.misfire,
    revision: firing.modRevision,
  };
}

function endedDetails(id: FiringId, kv: KeyValue): Omit<RunDetails, 'kill' | 'jobExists'> {
  const run = recordToRun(runItem(id, kv));
  const decoded = decodeRun(kv);
  if (!decoded.ok) return { ...run, ...NOTHING_YET, revision: kv.modRevision, problem: decoded.problem };
  const record = decoded.value;
  return {
    ...run,
    ...NOTHING_YET,
    reason: record.reason ?? run.reason,
    fencingToken: record.fencingToken,
    missed: record.missed && {
      ...record.missed,
      from: isoText(record.missed.from),
      through: isoText(record.missed.through),
    },
    late: lateOf(record),
    stdout: record.stdout,
    stderr: record.stderr,
    revision: kv.modRevision,
  };
}

function lateOf({ late }: RunRecord): RunDetails['late'] {
  return late && { ...late, endedAt: isoText(late.endedAt) };
}

function killOf(kv: KeyValue | undefined): RunDetails['kill'] {
  const decoded = kv && decodeRecord(killRecordSchema, kv);
  return decoded?.ok ? { ...decoded.value, at: isoText(decoded.value.at) } : null;
}

const NOTHING_YET = {
  fencingToken: null,
  requestedBy: null,
  misfire: false,
  claimedAt: null,
  missed: null,
  late: null,
  stdout: null,
  stderr: null,
  problem: null,
} as const;
