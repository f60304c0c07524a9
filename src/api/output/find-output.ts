/**
 * Where the output of a run is, and what to say where it is not.
 *
 * The last attempt is known by etcd: its firing or its record names the worker. Earlier attempts may have been anywhere: then
 * every worker that lives is asked. A worker's folder outlives the worker: a restart under the same name serves what the
 * one before has written.
 */
import type { Clock } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import { workerNameOf, workerRecordSchema } from '../../election/worker-record.js';
import type { Cluster } from '../../etcd/cluster.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { listRange } from '../../etcd/listing.js';
import { decodeRecord } from '../../etcd/record.js';
import { singleKey } from '../../etcd/store.js';
import { getRun } from '../../history/history.js';
import type { RunRecord } from '../../history/run-record.js';
import { runNotFound } from '../../operations/find-run.js';
import { decodeFiring, type FiringRecord } from '../../view/firing-record.js';
import type { KeptOutput } from '../schemas/output.js';
import { LocalSource, type OutputSource } from './output-source.js';
import { RemoteSource, type HopOptions } from './remote-source.js';

export interface OutputAccess {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly hop: HopOptions;
  /** Of the worker that is asked here; null where it is none, or keeps none. */
  readonly own: { readonly worker: string; readonly folder: string } | null;
}

/** The ends that a run record keeps. */
export interface KeptTails {
  readonly stdout: RunRecord['stdout'];
  readonly stderr: RunRecord['stderr'];
}

/** Output that can be read. */
export interface FoundOutput {
  readonly source: OutputSource;
  readonly attempt: number;
  /** Null: nothing was written, or not yet. */
  readonly kept: KeptOutput | null;
  /** It is being written, or about to be. */
  readonly isRunning: boolean;
}

/**
 * The output of an attempt; null: of the last one. Rejects with ETCRON_RUN_NOT_FOUND, with ETCRON_OUTPUT_GONE where nobody has it
 * (the error's `details` hold the tails of the record, for the last attempt), and with ETCRON_WORKER_UNREACHABLE.
 */
export async function findOutput(
  access: OutputAccess,
  id: FiringId,
  attempt: number | null,
  signal: AbortSignal,
): Promise<FoundOutput> {
  const state = await readState(access, id);
  const wanted = attempt ?? state.attempt;
  if (wanted < 1 || wanted > state.attempt) throw noSuchAttempt(id, wanted, state);
  const isLast = wanted === state.attempt;
  if (isLast && state.worker !== null) return lastOutput(access, id, state, state.worker, signal);
  const runId = formatRunId(id);
  for (const { source, kept } of await askAll(access, runId, signal)) {
    const found = kept.findLast((one) => one.attempt === wanted);
    if (found !== undefined) return { source, attempt: wanted, kept: found, isRunning: false };
  }
  throw gone(
    `no worker that answers has the output of attempt ${wanted} of ${runId}`,
    id,
    isLast ? state : null,
  );
}

/** What all workers that live have of a run, by attempt. */
export async function listOutputs(
  access: OutputAccess,
  id: FiringId,
  signal: AbortSignal,
): Promise<KeptOutput[]> {
  const found = await askAll(access, formatRunId(id), signal);
  return found
    .flatMap(({ kept }) => kept)
    .sort((a, b) => a.attempt - b.attempt || Number(a.fencingToken) - Number(b.fencingToken));
}

interface RunState {
  readonly attempt: number;
  /** The name of the worker of that attempt. */
  readonly worker: string | null;
  readonly isRunning: boolean;
  readonly tails: KeptTails | null;
}

async function readState({ cluster }: OutputAccess, id: FiringId): Promise<RunState> {
  const { store, keys } = cluster;
  const { kvs } = await store.range(singleKey(keys.firing(id)));
  const firing = kvs[0] && decodeFiring(kvs[0]);
  if (firing?.ok) return firingState(firing.value);
  const run = await getRun(store, keys, id);
  if (run === null) throw runNotFound(id);
  const { record } = run;
  if (record === null) return { attempt: 0, worker: null, isRunning: false, tails: null };
  const { attempts, worker, nodeId, stdout, stderr } = record;
  const name = worker ?? (nodeId === null ? null : workerNameOf(nodeId));
  return { attempt: attempts, worker: name, isRunning: false, tails: { stdout, stderr } };
}

function firingState({ node, attempt, lastWorker }: FiringRecord): RunState {
  const worker = node === null ? lastWorker : workerNameOf(node);
  return { attempt, worker, isRunning: node !== null, tails: null };
}

async function lastOutput(
  access: OutputAccess,
  id: FiringId,
  state: RunState,
  worker: string,
  signal: AbortSignal,
): Promise<FoundOutput> {
  const runId = formatRunId(id);
  const { attempt, isRunning, tails } = state;
  const sources = await sourcesOf(access);
  const source = sources.find((one) => one.worker === worker);
  if (source === undefined) {
    const isThere = sources.names.has(worker);
    throw gone(
      isThere
        ? `the worker ${worker} has the output of ${runId}, and no API by which it could be asked for it`
        : `the worker ${worker}, which had the output of ${runId}, is gone`,
      id,
      state,
    );
  }
  const kept = (await source.list(runId, signal)).findLast((one) => one.attempt === attempt) ?? null;
  // What the record has of it says whether there was anything.
  const wroteNothing = tails !== null && !tails.stdout?.totalBytes && !tails.stderr?.totalBytes;
  if (kept !== null || isRunning || wroteNothing) return { source, attempt, kept, isRunning };
  throw gone(`the worker ${worker} does not have the output of ${runId} any more`, id, state);
}

async function askAll(
  access: OutputAccess,
  runId: string,
  signal: AbortSignal,
): Promise<{ source: OutputSource; kept: KeptOutput[] }[]> {
  const sources = await sourcesOf(access);
  const answers = await Promise.all(
    sources.map(async (source) => ({ source, kept: await source.list(runId, signal).catch(() => []) })),
  );
  signal.throwIfAborted();
  return answers;
}

type Sources = OutputSource[] & { readonly names: ReadonlySet<string> };

/** All workers that can be asked, and the names of all that live. */
async function sourcesOf({ cluster, clock, hop, own }: OutputAccess): Promise<Sources> {
  const { store, keys } = cluster;
  const { kvs } = await listRange(store, keys.mirroredWorkers, { pageSize: 1_000 });
  const sources = new Map<string, OutputSource>();
  const names = new Set<string>();
  for (const kv of kvs.values()) {
    const decoded = decodeRecord(workerRecordSchema, kv);
    if (!decoded.ok || kv.leaseId === null) continue;
    const { name, api } = decoded.value;
    names.add(name);
    if (api !== null && URL.canParse(api)) sources.set(name, new RemoteSource(name, api, hop));
  }
  if (own !== null) sources.set(own.worker, new LocalSource(own.worker, own.folder, cluster, clock));
  return Object.assign([...sources.values()], { names });
}

function noSuchAttempt(id: FiringId, wanted: number, state: RunState): EtcronError {
  const runId = formatRunId(id);
  const had = state.attempt === 0 ? 'it has not begun' : `it has had ${state.attempt}`;
  return new EtcronError('ETCRON_OUTPUT_GONE', `there is no attempt ${wanted} of ${runId}: ${had}`, {
    hint:
      state.attempt === 0
        ? 'A run that never began has no output.'
        : 'Leave the attempt out for the last one.',
    details: { run: runId, attempt: wanted, begun: state.attempt > 0, tail: null },
  });
}

function gone(message: string, id: FiringId, state: RunState | null): EtcronError {
  const tail = state?.tails ?? null;
  return new EtcronError('ETCRON_OUTPUT_GONE', message, {
    hint:
      tail === null
        ? 'Its record keeps the end of the output of the last attempt, once it is over.'
        : 'The end of it is kept in the record of the run.',
    details: { run: formatRunId(id), tail },
  });
}
