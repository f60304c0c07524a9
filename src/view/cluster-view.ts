/**
 * What a node knows of the cluster: the mirrored keys, decoded and indexed. Every node holds the same view, so that any
 * of them can take over as leader without reading anything first.
 *
 * Counts of runs, cursor, requests to drain, firings, the request to hand over, jobs, kill requests, the leader and limits
 * are one contiguous key range behind one watch: the view moves from revision to revision and never shows half of a
 * transaction. The workers come through a second watch, which may be a little ahead or behind; nothing relies on their order.
 *
 * Values that do not decode are kept out of the indexes, reported once to `onProblem`, and harm nothing else.
 */
import type { z } from 'zod';
import { leaderRecordSchema, type LeaderRecord } from '../election/leader-record.js';
import { workerRecordSchema, type WorkerRecord } from '../election/worker-record.js';
import { JOB_NAME_PATTERN, parseRunId, type FiringId, type Keys } from '../etcd/keys.js';
import type { Change, Mirror } from '../etcd/mirror.js';
import { decodeRecord, type Decoded } from '../etcd/record.js';
import type { KeyValue } from '../etcd/store.js';
import { cursorRecordSchema, type CursorRecord } from './cursor-record.js';
import { drainRecordSchema, type DrainRecord } from './drain-record.js';
import { decodeFiring, type FiringRecord } from './firing-record.js';
import { handoverRecordSchema, type HandoverRecord } from './handover-record.js';
import { JobEntry } from './job-entry.js';
import { killRecordSchema, type KillRecord } from './kill-record.js';
import { decodeLimit, type LimitEntry } from './limit-record.js';
import { decodeRunCount, type RunCount } from './run-count.js';

/** A decoded record with the revisions of its key. */
export interface Entry<T> {
  readonly value: T;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface FiringEntry extends Entry<FiringRecord> {
  readonly id: FiringId;
  /** `<job>/<due>[+suffix]` */
  readonly runId: string;
}

/** Something stands where a firing should: somebody else wrote it. */
export interface DamagedFiring {
  readonly id: FiringId;
  readonly modRevision: number;
}

export interface WorkerEntry extends Entry<WorkerRecord> {
  readonly nodeId: string;
}

/** `cursor` and `leader` are single keys: absent, broken, or an entry. */
export type Single<T> =
  | { readonly state: 'absent' }
  | {
      readonly state: 'broken';
      readonly problem: string;
      readonly modRevision: number;
      readonly leaseId: string | null;
    }
  | ({ readonly state: 'present'; readonly leaseId: string | null } & Entry<T>);

export interface ViewChanges {
  /** Names of jobs that were created, changed, counted or deleted, with what was known of them before. */
  readonly jobs: ReadonlyMap<string, JobEntry | undefined>;
  readonly firings: ReadonlyMap<string, FiringEntry | undefined>;
  readonly workers: ReadonlyMap<string, WorkerEntry | undefined>;
  /** Run ids of kill requests that appeared. */
  readonly kills: readonly string[];
  /** Names of limits whose size changed, or is gone. */
  readonly limits: ReadonlySet<string>;
  /** Names of workers whose requests to drain came or went. */
  readonly drains: ReadonlySet<string>;
  readonly handover: boolean;
  readonly leader: boolean;
  readonly cursor: boolean;
  /** Found by a listing, not as it happened: what changed may have changed long ago. */
  readonly relisted: boolean;
  /** The revision up to which the view (but for the workers) is complete. */
  readonly revision: number;
}

export interface ViewProblem {
  readonly key: string;
  readonly problem: string;
}

export class ClusterView {
  readonly keys: Keys;
  readonly jobs = new Map<string, JobEntry>();
  /** By job, of those that are gone as well. */
  readonly counts = new Map<string, RunCount>();
  readonly firings = new Map<string, FiringEntry>();
  /** By run id: keys of firings whose values are none. */
  readonly damagedFirings = new Map<string, DamagedFiring>();
  readonly workers = new Map<string, WorkerEntry>();
  readonly kills = new Map<string, Entry<KillRecord>>();
  readonly limits = new Map<string, LimitEntry>();
  /** Requests that workers take nothing more, by the worker's name. */
  readonly drains = new Map<string, Entry<DrainRecord>>();
  /** Firings by the limits of which they hold a slot; no empty maps are kept. */
  readonly holdersByLimit = new Map<string, Map<string, FiringEntry>>();
  /** Firings by job and by the node that has them in flight; no empty maps are kept. */
  readonly firingsByJob = new Map<string, Map<string, FiringEntry>>();
  readonly firingsByNode = new Map<string, Map<string, FiringEntry>>();
  leader: Single<LeaderRecord> = { state: 'absent' };
  cursor: Single<CursorRecord> = { state: 'absent' };
  handover: Single<HandoverRecord> = { state: 'absent' };
  readonly #main: Mirror;
  readonly #listeners = new Set<(changes: ViewChanges) => void>();
  readonly #onProblem: (problem: ViewProblem) => void;

  constructor(keys: Keys, main: Mirror, workers: Mirror, onProblem: (problem: ViewProblem) => void) {
    this.keys = keys;
    this.#main = main;
    this.#onProblem = onProblem;
    main.onChange((changes, info) => this.#apply(changes, info.revision, info.relisted));
    workers.onChange((changes, info) => this.#apply(changes, main.revision, info.relisted));
  }

  /** The revision up to which everything but the workers is known. */
  get revision(): number {
    return this.#main.revision;
  }

  /** Called after each batch has been applied as a whole. Returns the function that ends it. */
  onChange(listener: (changes: ViewChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #apply(changes: readonly Change[], revision: number, relisted: boolean): void {
    const batch = new Batch();
    for (const change of changes) this.#applyOne(change, batch);
    const result = batch.finish(revision, relisted);
    for (const listener of [...this.#listeners]) listener(result);
  }

  #applyOne(change: Change, batch: Batch): void {
    const { keys } = this;
    const kv = change.type === 'put' ? change.kv : null;
    if (change.key.startsWith(keys.firings)) this.#applyFiring(change.key, kv, batch);
    else if (change.key.startsWith(keys.jobs)) this.#applyJob(change.key, kv, batch);
    else if (change.key.startsWith(keys.counts)) this.#applyCount(change.key, kv, batch);
    else if (change.key.startsWith(keys.workers)) this.#applyWorker(change.key, kv, batch);
    else if (change.key.startsWith(keys.kills)) this.#applyKill(change.key, kv, batch);
    else if (change.key.startsWith(keys.limits)) this.#applyLimit(change.key, kv, batch);
    else if (change.key.startsWith(keys.drains)) this.#applyDrain(change.key, kv, batch);
    else if (change.key === keys.leader) {
      this.leader = this.#single(change.key, kv, leaderRecordSchema);
      batch.leader = true;
    } else if (change.key === keys.cursor) {
      this.cursor = this.#single(change.key, kv, cursorRecordSchema);
      batch.cursor = true;
    } else if (change.key === keys.handover) {
      this.handover = this.#single(change.key, kv, handoverRecordSchema);
      batch.handover = true;
    }
  }

  #applyJob(key: string, kv: KeyValue | null, batch: Batch): void {
    const name = key.slice(this.keys.jobs.length);
    if (!JOB_NAME_PATTERN.test(name)) {
      if (kv)
        this.#onProblem({
          key,
          problem: 'not a job name; allowed are letters, digits, dot, dash, underscore',
        });
      return;
    }
    if (!batch.jobs.has(name)) batch.jobs.set(name, this.jobs.get(name));
    if (kv === null) this.jobs.delete(name);
    else this.jobs.set(name, new JobEntry(name, kv, this.counts.get(name)));
  }

  #applyCount(key: string, kv: KeyValue | null, batch: Batch): void {
    const name = key.slice(this.keys.counts.length);
    const count = kv === null ? undefined : decodeRunCount(kv);
    if (count === undefined) this.counts.delete(name);
    else this.counts.set(name, count);
    if (count && count.problem !== null) this.#onProblem({ key, problem: count.problem });
    const entry = this.jobs.get(name);
    if (!entry) return;
    if (!batch.jobs.has(name)) batch.jobs.set(name, entry);
    this.jobs.set(name, entry.withCount(count));
  }

  #applyFiring(key: string, kv: KeyValue | null, batch: Batch): void {
    const runId = key.slice(this.keys.firings.length);
    const before = this.firings.get(runId);
    const id = before?.id ?? parseRunId(runId);
    let after: FiringEntry | undefined;
    if (this.damagedFirings.size > 0) this.damagedFirings.delete(runId);
    if (kv !== null) {
      const decoded: Decoded<FiringRecord> =
        id === null ? { ok: false, problem: 'not a run id' } : decodeFiring(kv);
      if (decoded.ok) after = { id: id!, runId, ...entryOf(kv, decoded.value) };
      else {
        if (id !== null) this.damagedFirings.set(runId, { id, modRevision: kv.modRevision });
        this.#onProblem({ key, problem: decoded.problem });
      }
    }
    if (before === undefined && after === undefined && !this.damagedFirings.has(runId)) return;
    if (!batch.firings.has(runId)) batch.firings.set(runId, before);
    if (before) {
      if (!after) {
        this.firings.delete(runId);
        removeFrom(this.firingsByJob, before.id.job, runId);
      }
      if (before.value.node !== null) removeFrom(this.firingsByNode, before.value.node, runId);
      for (const name of limitsHeld(before)) removeFrom(this.holdersByLimit, name, runId);
    }
    if (after) {
      this.firings.set(runId, after);
      addTo(this.firingsByJob, after.id.job, runId, after);
      if (after.value.node !== null) addTo(this.firingsByNode, after.value.node, runId, after);
      for (const name of limitsHeld(after)) addTo(this.holdersByLimit, name, runId, after);
    }
  }

  #applyWorker(key: string, kv: KeyValue | null, batch: Batch): void {
    const nodeId = key.slice(this.keys.workers.length);
    if (!batch.workers.has(nodeId)) batch.workers.set(nodeId, this.workers.get(nodeId));
    const decoded = this.#decodeWorker(key, kv);
    if (decoded) this.workers.set(nodeId, { nodeId, ...decoded });
    else this.workers.delete(nodeId);
  }

  /** A worker without a lease would never go away, and be counted on, and have its clock believed, for ever. */
  #decodeWorker(key: string, kv: KeyValue | null): Entry<WorkerRecord> | null {
    const decoded = this.#decode(key, kv, workerRecordSchema);
    if (decoded === null || kv?.leaseId !== null) return decoded;
    this.#onProblem({ key, problem: 'has no lease: no worker wrote it' });
    return null;
  }

  #applyKill(key: string, kv: KeyValue | null, batch: Batch): void {
    const runId = key.slice(this.keys.kills.length);
    const decoded = this.#decode(key, kv, killRecordSchema);
    if (decoded && parseRunId(runId)) {
      this.kills.set(runId, decoded);
      batch.kills.push(runId);
    } else {
      this.kills.delete(runId);
      if (decoded) this.#onProblem({ key, problem: 'not a run id' });
    }
  }

  #applyLimit(key: string, kv: KeyValue | null, batch: Batch): void {
    const name = key.slice(this.keys.limits.length);
    batch.limits.add(name);
    if (kv === null) {
      this.limits.delete(name);
      return;
    }
    const limit = decodeLimit(kv);
    this.limits.set(name, limit);
    if (limit.problem !== null) this.#onProblem({ key, problem: limit.problem });
  }

  #applyDrain(key: string, kv: KeyValue | null, batch: Batch): void {
    const name = key.slice(this.keys.drains.length);
    const decoded = this.#decode(key, kv, drainRecordSchema);
    if (decoded) this.drains.set(name, decoded);
    else this.drains.delete(name);
    batch.drains.add(name);
  }

  #decode<S extends z.ZodType>(key: string, kv: KeyValue | null, schema: S): Entry<z.output<S>> | null {
    if (kv === null) return null;
    const decoded = decodeRecord(schema, kv);
    if (decoded.ok) return entryOf(kv, decoded.value);
    this.#onProblem({ key, problem: decoded.problem });
    return null;
  }

  #single<S extends z.ZodType>(key: string, kv: KeyValue | null, schema: S): Single<z.output<S>> {
    if (kv === null) return { state: 'absent' };
    const decoded = decodeRecord(schema, kv);
    const { leaseId, modRevision } = kv;
    if (decoded.ok) return { state: 'present', leaseId, ...entryOf(kv, decoded.value) };
    this.#onProblem({ key, problem: decoded.problem });
    return { state: 'broken', problem: decoded.problem, modRevision, leaseId };
  }
}

/** Collects what changed in one batch, each thing with its state before the whole batch. */
class Batch {
  readonly jobs = new Map<string, JobEntry | undefined>();
  readonly firings = new Map<string, FiringEntry | undefined>();
  readonly workers = new Map<string, WorkerEntry | undefined>();
  readonly kills: string[] = [];
  readonly limits = new Set<string>();
  readonly drains = new Set<string>();
  leader = false;
  cursor = false;
  handover = false;

  finish(revision: number, relisted: boolean): ViewChanges {
    return {
      jobs: this.jobs,
      firings: this.firings,
      workers: this.workers,
      kills: this.kills,
      limits: this.limits,
      drains: this.drains,
      handover: this.handover,
      leader: this.leader,
      cursor: this.cursor,
      relisted,
      revision,
    };
  }
}

/** The limits of which a firing holds a slot. */
function limitsHeld({ value }: FiringEntry): readonly string[] {
  return value.limitSlots === null ? NONE : Object.keys(value.limitSlots);
}

const NONE: readonly string[] = [];

function entryOf<T>(kv: KeyValue, value: T): Entry<T> {
  return { value, createRevision: kv.createRevision, modRevision: kv.modRevision };
}

function addTo<V>(index: Map<string, Map<string, V>>, group: string, key: string, value: V): void {
  const members = index.get(group);
  if (members) members.set(key, value);
  else index.set(group, new Map([[key, value]]));
}

function removeFrom<V>(index: Map<string, Map<string, V>>, group: string, key: string): void {
  const members = index.get(group);
  members?.delete(key);
  if (members?.size === 0) index.delete(group);
}
