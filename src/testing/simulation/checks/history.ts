/**
 * Reads etcd's history once, revision by revision, and checks what each write may do: claims, ends, the leader's writes,
 * the cursor. What the other checks need to know of claims and records is gathered on the way.
 *
 * Values are read with `JSON.parse`: they were written by the code under test, whose own decoding is not to be relied on.
 */
import { parseRunId } from '../../../etcd/keys.js';
import type { Txn, WatchEvent } from '../../../etcd/store.js';
import { isBehind, type Position } from '../../../plan/order.js';
import type { Change } from '../../memory-etcd.js';
import { OPERATOR, type World } from '../world.js';
import type { Violation } from './violation.js';

export interface Claim {
  readonly runId: string;
  /** The fencing token. */
  readonly revision: number;
  readonly client: string;
  readonly atMs: number;
  /** From the firing as it was before the claim, ms. */
  readonly notBeforeMs: number;
  /** The job's definition when it was claimed. */
  readonly definition: string;
  endedAtMs: number;
  /** How it ended: written by its holder, or with its lease, or with a lease that the operator revoked. */
  end: 'standing' | 'finished' | 'handed-back' | 'lease-ended' | 'revoked-by-hand';
}

export interface StoredRecord {
  readonly outcome: string;
  readonly attempts: number;
  readonly crashes: number;
  readonly fencingToken: string | null;
  readonly missed: { readonly from: string; readonly through: string } | null;
  readonly late: unknown;
}

/** What a record does not say. */
const LEFT_OUT = { crashes: 0, fencingToken: null, missed: null, late: null };

interface StoredFiring {
  readonly origin: string;
  readonly attempt: number;
  readonly crashes?: number;
  readonly node?: string;
  readonly notBefore?: string;
  readonly misfire?: boolean;
  readonly waiting?: boolean;
}

export interface MissedRange {
  readonly fromMs: number;
  readonly throughMs: number;
}

export class CheckedHistory {
  readonly violations: Violation[] = [];
  /** By run id, in order. */
  readonly claims = new Map<string, Claim[]>();
  readonly records = new Map<string, StoredRecord>();
  readonly missed = new Map<string, MissedRange[]>();
  /** How often a firing came back without a crash and without a retry. */
  readonly handBacks = new Map<string, number>();
  firstLeaderAtMs = Infinity;
  /** Since when jobs have had all their runs (`maxRuns`), and what was withdrawn for that. */
  readonly doneSinceMs = new Map<string, number>();
  readonly withdrawnAsDone = new Set<string>();
  /** The create revision of the job that was counted last. */
  readonly #countedLife = new Map<string, number>();
  readonly #world: World;
  readonly #firings = new Map<string, StoredFiring>();
  readonly #standing = new Map<string, Claim>();
  readonly #jobs = new Map<string, string>();
  #leader: string | null = null;
  #term = 0;
  /** By the revision that they made. */
  readonly #txns = new Map<number, Txn>();
  #cursor: Position | null = null;
  readonly #premature = new Set<string>();
  #change: Change = { revision: 0, atMs: 0, client: '', events: [] };
  #revokedByHand: Set<number>;

  constructor(world: World) {
    this.#world = world;
    const revocations = world.etcd.history.filter(
      ({ action, client }) => action.type === 'lease-revoke' && client === OPERATOR,
    );
    this.#revokedByHand = new Set(revocations.map(({ revision }) => revision));
    for (const { action, revision } of world.etcd.history)
      if (action.type === 'txn' && !this.#txns.has(revision)) this.#txns.set(revision, action.txn);
    for (const change of world.etcd.changes) this.#read(change);
  }

  firing(runId: string): StoredFiring | undefined {
    return this.#firings.get(runId);
  }

  #wrong(subject: string | null, text: string): void {
    const { atMs, revision } = this.#change;
    this.violations.push({ subject, text: `${text} (revision ${revision})`, atMs });
  }

  #read(change: Change): void {
    this.#change = change;
    const { keys } = this.#world;
    const firings: WatchEvent[] = [];
    const ended = new Map<string, Claim>();
    const recorded = new Set<string>();
    let leader = this.#leader;
    for (const event of change.events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      if (key.startsWith(keys.firings)) firings.push(event);
      else if (key.startsWith(keys.locks)) this.#lock(key.slice(keys.locks.length), event, ended);
      else if (key.startsWith(keys.runs)) {
        if (event.type === 'put') this.#record(key.slice(keys.runs.length), event.kv, recorded);
      } else if (key.startsWith(keys.slots)) this.#slot(key, event);
      else if (key.startsWith(keys.jobs)) {
        this.#jobs.set(key.slice(keys.jobs.length), event.type === 'put' ? event.kv.value.toString() : '');
      } else if (key.startsWith(keys.counts)) this.#counted(key.slice(keys.counts.length), event);
      else if (key === keys.leader) leader = this.#office(event);
      else if (key === keys.cursor && event.type === 'put') this.#planned(event.kv.value.toString());
    }
    for (const event of firings) this.#firing(event, ended, recorded);
    for (const runId of recorded) this.#checkEnd(runId, ended);
    this.#leader = leader;
  }

  // ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #lock(runId: string, event: WatchEvent, ended: Map<string, Claim>): void {
    const { client, atMs, revision } = this.#change;
    const before = this.#standing.get(runId);
    const job = jobOf(runId);
    if (event.type === 'delete') {
      if (!before) return;
      this.#standing.delete(runId);
      before.endedAtMs = atMs;
      const byHand = this.#revokedByHand.has(revision);
      before.end = byHand ? 'revoked-by-hand' : client === before.client ? 'finished' : 'lease-ended';
      ended.set(runId, before);
      return;
    }
    if (event.kv.version !== 1 || before) this.#wrong(runId, `claimed by ${client} over a standing claim`);
    if (event.kv.leaseId === null) this.#wrong(runId, 'claimed without a lease');
    const notBefore = this.#firings.get(runId)?.notBefore;
    const claim: Claim = {
      ...{ runId, revision, client, atMs },
      notBeforeMs: notBefore === undefined ? -Infinity : Date.parse(notBefore),
      definition: this.#jobs.get(job) ?? '',
      endedAtMs: Infinity,
      end: 'standing',
    };
    this.#standing.set(runId, claim);
    this.claims.set(runId, [...(this.claims.get(runId) ?? []), claim]);
  }

  #slot(key: string, event: WatchEvent): void {
    if (event.type === 'put' && event.kv.version !== 1)
      this.#wrong(null, `${key} was taken over a standing one`);
  }

  // ── firings ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #firing(event: WatchEvent, ended: Map<string, Claim>, recorded: ReadonlySet<string>): void {
    const key = event.type === 'put' ? event.kv.key : event.key;
    const runId = key.slice(this.#world.keys.firings.length);
    const before = this.#firings.get(runId);
    if (event.type === 'delete') {
      this.#firings.delete(runId);
      if (!recorded.has(runId)) this.#withdrawn(runId, before);
      return;
    }
    const after = JSON.parse(event.kv.value.toString()) as StoredFiring;
    this.#firings.set(runId, after);
    if (after.node !== undefined) this.#claimed(runId, before, after);
    else if (before?.node !== undefined) this.#handedBack(runId, before, after, ended);
    // `sharing.ts` judges who begins to wait.
    else if (after.origin === 'schedule' && !(before && after.waiting)) this.#plannedFiring(runId, before);
  }

  #claimed(runId: string, before: StoredFiring | undefined, after: StoredFiring): void {
    if (!before) return this.#wrong(runId, 'claimed although it does not exist (any more)');
    if (after.attempt !== before.attempt + 1)
      this.#wrong(runId, `attempt ${after.attempt} was claimed after attempt ${before.attempt}`);
    if (this.#standing.get(runId)?.revision !== this.#change.revision)
      this.#wrong(runId, `attempt ${after.attempt} was claimed without its lock`);
  }

  #handedBack(
    runId: string,
    before: StoredFiring,
    after: StoredFiring,
    ended: ReadonlyMap<string, Claim>,
  ): void {
    const claim = ended.get(runId);
    if (claim?.client !== this.#change.client)
      return this.#wrong(runId, `handed back by ${this.#change.client}, which does not hold it`);
    claim.end = 'handed-back';
    if (after.notBefore === undefined && (after.crashes ?? 0) === (before.crashes ?? 0))
      this.handBacks.set(runId, (this.handBacks.get(runId) ?? 0) + 1);
  }

  #plannedFiring(runId: string, before: StoredFiring | undefined): void {
    this.#byLeader(runId, 'planned');
    if (before) return;
    if (this.#endOf(runId)) this.#wrong(runId, 'planned again after its end');
    if (this.#isMissed(runId) && !this.#world.wasMisled)
      this.#wrong(runId, 'planned again although it is recorded as missed');
  }

  /** Deleted without a record of its own. */
  #withdrawn(runId: string, before: StoredFiring | undefined): void {
    this.#byLeader(runId, 'withdrawn');
    if (!before) return;
    if (before.attempt > 0 || before.node !== undefined || before.origin !== 'schedule')
      this.#wrong(runId, 'vanished without a record');
    else if (this.doneSinceMs.has(jobOf(runId))) this.withdrawnAsDone.add(runId);
    else if (this.#world.scenario.steady.has(jobOf(runId)) && !this.#isMissed(runId))
      this.#wrong(runId, 'withdrawn although its job never changed');
  }

  #counted(job: string, event: WatchEvent): void {
    if (event.type === 'delete') return void this.doneSinceMs.delete(job);
    const { steady, restless } = this.#world.scenario;
    const maxRuns = (steady.get(job) ?? restless.get(job))?.maxRuns as number;
    const { runs, job: life } = JSON.parse(event.kv.value.toString()) as { runs: number; job: number };
    // It was deleted and put there anew.
    if (this.#countedLife.get(job) !== life) this.doneSinceMs.delete(job);
    this.#countedLife.set(job, life);
    if (runs >= maxRuns && !this.doneSinceMs.has(job)) this.doneSinceMs.set(job, this.#change.atMs);
  }

  /**
   * Not where it came before its time, by a clock that nobody could judge: once a right one leads, what is still to come is
   * planned as ever.
   */
  #endOf(runId: string): StoredRecord | undefined {
    return this.#premature.has(runId) ? undefined : this.records.get(runId);
  }

  #isMissed(runId: string): boolean {
    const id = parseRunId(runId);
    if (id === null || id.suffix !== null || !this.#world.scenario.steady.has(id.job)) return false;
    const ranges = this.missed.get(id.job) ?? [];
    return ranges.some(({ fromMs, throughMs }) => fromMs <= id.dueMs && id.dueMs <= throughMs);
  }

  // ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #record(
    runId: string,
    kv: { readonly value: Buffer; readonly version: number },
    recorded: Set<string>,
  ): void {
    const record: StoredRecord = { ...LEFT_OUT, ...(JSON.parse(kv.value.toString()) as StoredRecord) };
    const before = this.#endOf(runId);
    this.records.set(runId, record);
    if (this.#world.isPremature(parseRunId(runId)!.dueMs, this.#change.atMs)) this.#premature.add(runId);
    else this.#premature.delete(runId);
    if (before) {
      const amends = before.outcome === 'lost' && record.outcome === 'lost' && before.late === null;
      if (!amends || record.late === null) this.#wrong(runId, `has two ends, the second ${record.outcome}`);
      return;
    }
    recorded.add(runId);
    if (record.missed === null) return;
    // Whoever holds the claim says of this one due time that it is too late.
    if (record.fencingToken === null) this.#byLeader(runId, 'recorded as missed');
    const range = { fromMs: Date.parse(record.missed.from), throughMs: Date.parse(record.missed.through) };
    const job = jobOf(runId);
    this.missed.set(job, [...(this.missed.get(job) ?? []), range]);
  }

  #checkEnd(runId: string, ended: ReadonlyMap<string, Claim>): void {
    const record = this.records.get(runId)!;
    if (this.#firings.has(runId)) this.#wrong(runId, 'has its end, and goes on');
    const standing = this.#standing.get(runId);
    if (standing) this.#wrong(runId, `ended by ${this.#change.client} while ${standing.client} holds it`);
    const { fencingToken } = record;
    if (fencingToken !== null && String(ended.get(runId)?.revision) !== fencingToken)
      this.#wrong(runId, `ended ${record.outcome} by ${this.#change.client}, whose claim was gone`);
  }

  // ── the leader ──────────────────────────────────────────────────────────────────────────────────────────────────

  #office(event: WatchEvent): string | null {
    const { client, atMs } = this.#change;
    if (event.type === 'delete') return null;
    this.firstLeaderAtMs = Math.min(this.firstLeaderAtMs, atMs);
    this.#term = event.kv.createRevision;
    if (event.kv.version !== 1) this.#wrong(null, `${client} took the office of ${this.#leader}`);
    return client;
  }

  #byLeader(subject: string | null, what: string): void {
    const { client } = this.#change;
    if (client === OPERATOR) return;
    if (client !== this.#leader)
      this.#wrong(subject, `${what} by ${client}, but the leader is ${this.#leader ?? 'nobody'}`);
    // It held, or nothing would have been written.
    const compares = this.#txns.get(this.#change.revision)?.compare ?? [];
    if (
      !compares.some(
        ({ key, target, to }) => key === this.#world.keys.leader && target === 'create' && to === this.#term,
      )
    )
      this.#wrong(subject, `${what} by ${client} without comparing its office`);
  }

  #planned(text: string): void {
    this.#byLeader(null, 'cursor written');
    const { plannedThrough } = JSON.parse(text) as { plannedThrough: { due: string; job: string | null } };
    const position = { due: Date.parse(plannedThrough.due), job: plannedThrough.job };
    const wentBack = this.#cursor !== null && isBehind(this.#cursor, position);
    // Where a wrong clock has led, the next leader may take back what was planned by it.
    if (wentBack && !this.#world.wasMisled) this.#wrong(null, 'the cursor went back');
    this.#cursor = position;
  }
}

export function jobOf(runId: string): string {
  return runId.slice(0, runId.indexOf('/'));
}

/** Runs that may not overlap: those of the job, and where it runs everywhere, those of the job on one worker. */
export function besideGroup(runId: string): string {
  const worker = /[+.]on-(.+)$/.exec(runId)?.[1];
  return worker === undefined ? jobOf(runId) : `${jobOf(runId)} on ${worker}`;
}
