/**
 * Who leads.
 *
 * States of one node:
 *
 *     follower ──leader key absent──▶ campaigning ──create-only txn won──▶ leader ──┬─ resign (SIGTERM) ──▶ resigned
 *        ▲                               │ lost, or somebody holds it               │
 *        ├───────────────────────────────┴───── deposed: key gone or not ours ◀─────┤
 *        └────────────── step down: unfit (clock, drain), or asked to hand over ◀───┘
 *
 * Invariants
 * - The office is the key `leader`, created with `create(leader) = 0` and attached to the node's lease. Its create
 *   revision is the term's fence: every write of a leader compares it, so a deposed leader cannot write, however late
 *   it learns of its fate.
 * - `isLeader()` is false as soon as the session's trust window has passed, before the lease can be gone. When the same
 *   lease answers again the key was never released, and the term goes on.
 *
 * Failures
 * - The reply to a campaign is lost: the transaction is sent again; it then fails and shows our own record: we won.
 * - Somebody overwrites the key by hand, or puts one without a lease, which would never go away: such a key is not an
 *   office. Whoever sees it removes it (fenced by its revision), and the election starts again.
 * - The leader dies: its lease ends, etcd deletes the key, every candidate sees the delete and campaigns; one wins.
 * - Nobody answers a leader that steps down: its key stands, under a lease that lives on, and nobody leads. It goes on asking
 *   until it sees its key gone.
 * - Whoever the office is handed to does not take it: those who leave it to others do so for a moment only (`patienceMs`).
 */
import { Backoff } from '../backoff.js';
import { sleep, type Clock, type Timer } from '../clock.js';
import { messageOf } from '../errors.js';
import type { Keys } from '../etcd/keys.js';
import { decodeRecord, encodeRecord } from '../etcd/record.js';
import type { KeyValue, Store } from '../etcd/store.js';
import { absent, createdAt, del, get, modifiedAt, put } from '../etcd/txn.js';
import type { Service } from '../service.js';
import type { Logger } from '../telemetry/logger.js';
import { leaderRecordSchema, type LeaderRecord } from './leader-record.js';

/** One time in office. */
export interface Term {
  /** Create revision of the leader key: the fence. */
  readonly createRevision: number;
  /** Wall-clock time before which the campaign was not sent: what changed after `createRevision` changed after this. */
  readonly campaignedAtMs: number;
}

/** What the election needs to know of the leader key, as the node's mirror shows it. */
export type OfficeState =
  | { readonly state: 'absent' }
  | { readonly state: 'broken'; readonly modRevision: number; readonly leaseId: string | null }
  | {
      readonly state: 'present';
      readonly value: LeaderRecord;
      readonly createRevision: number;
      readonly modRevision: number;
      readonly leaseId: string | null;
    };

export interface ElectionContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly nodeId: string;
  readonly name: string;
  readonly session: { readonly leaseId: string; isTrusted(): boolean };
  /** This node may hold the office now; one that may not stays a candidate for later. */
  readonly isFit: () => boolean;
  /** For how long it leaves an empty office to others, ms; 0 unless it was asked to. */
  readonly patienceMs?: () => number;
  /** The leader key as mirrored, and the revision up to which the mirror is complete. */
  readonly observe: () => { office: OfficeState; revision: number };
  readonly onElected: (term: Term) => void;
  readonly onDeposed: (reason: string) => void;
}

const RESIGN_FOR_MS = 5_000;

export class Election implements Service {
  readonly #context: ElectionContext;
  #term: Term | null = null;
  #running = false;
  /** The create revision of the office that was last given up. */
  #left = 0;
  /** Since when the office is empty, on the monotonic clock. */
  #emptySinceMs: number | null = null;
  #patience: Timer | null = null;
  #evaluating: Promise<void> | null = null;
  #evaluateAgain = false;
  readonly #abort = new AbortController();

  constructor(context: ElectionContext) {
    this.#context = context;
  }

  get term(): Term | null {
    return this.#term;
  }

  /** In office, and sure of it now. */
  isLeader(): boolean {
    return this.#term !== null && this.#context.session.isTrusted() && this.#context.isFit();
  }

  async start(): Promise<void> {
    this.#running = true;
    this.poke();
  }

  /** Stops taking part, without giving up the office: see `resign`. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#patience?.cancel();
    this.#abort.abort(new Error('the election was stopped'));
    await this.#evaluating;
  }

  /** Looks again: to be called when the mirrored leader key or the session's trust changed. */
  poke(): void {
    if (!this.#running) return;
    this.#evaluateAgain = true;
    this.#evaluating ??= this.#evaluate().finally(() => {
      this.#evaluating = null;
      // What came after the last look, and before this turn, has found us still at it.
      if (this.#evaluateAgain) this.poke();
    });
  }

  /** A fenced write failed: the office is lost, whatever the mirror still shows. */
  reportFenced(): void {
    this.#depose('a fenced write was refused');
    this.poke();
  }

  /**
   * Gives the office up at once, so that another node takes over without waiting for the lease. A request that gets lost
   * is repeated for a while: a node that drains keeps its lease, and nobody would lead. Never rejects.
   */
  async resign(): Promise<void> {
    await this.stop();
    await this.#giveUpOffice('resigned');
  }

  /**
   * Gives the office up as `resign` does, but stays a candidate: it runs again when it is fit. `withKeys` are deleted in the same
   * transaction. Never rejects.
   */
  async stepDown(reason: string, withKeys: readonly string[] = []): Promise<void> {
    await this.#giveUpOffice(reason, withKeys);
    this.poke();
  }

  async #giveUpOffice(reason: string, withKeys: readonly string[] = []): Promise<void> {
    const { store, keys, clock, random, log } = this.#context;
    const term = this.#term;
    if (term === null) return;
    this.#left = term.createRevision;
    this.#depose(reason);
    const backoff = new Backoff(50, 1_000, random);
    const untilMs = clock.monotonicMs() + RESIGN_FOR_MS;
    for (;;) {
      try {
        await store.txn({
          compare: [createdAt(keys.leader, term.createRevision)],
          success: [del(keys.leader), ...withKeys.map((key) => del(key))],
        });
        return;
      } catch (error) {
        if (clock.monotonicMs() >= untilMs) {
          log.warn({ err: messageOf(error) }, 'could not resign; the office ends with the lease');
          return;
        }
      }
      await sleep(clock, backoff.nextMs());
    }
  }

  async #evaluate(): Promise<void> {
    while (this.#evaluateAgain && this.#running) {
      this.#evaluateAgain = false;
      const { session, observe, isFit } = this.#context;
      const { office, revision } = observe();
      if (office.state !== 'absent') this.#emptySinceMs = null;
      if (this.#term !== null) {
        if (revision < this.#term.createRevision || this.#holds(office)) continue;
        this.#depose('the leader key is not ours any more');
      }
      if (!session.isTrusted()) continue;
      if (this.#isOwn(office)) {
        // Won, and the answer was lost; or given up, and that was lost or is not seen yet.
        if (isFit() && office.createRevision !== this.#left) await this.#campaign();
        else await this.#remove(office.modRevision, 'could not give the leader key up');
        continue;
      }
      if (!isFit()) continue;
      if (office.state === 'absent') {
        if (this.#isPatient()) continue;
        await this.#campaign();
      } else if (!isOffice(office)) {
        this.#context.log.warn(
          { key: this.#context.keys.leader },
          'the leader key was not written by a node; removing it',
        );
        await this.#remove(office.modRevision, 'could not remove the leader key');
      }
    }
  }

  #isOwn(office: OfficeState): office is Extract<OfficeState, { state: 'present' }> {
    const { nodeId, session } = this.#context;
    return isOffice(office) && office.value.nodeId === nodeId && office.leaseId === session.leaseId;
  }

  /** The office is empty, and others are to have it: looks again when they had their chance. */
  #isPatient(): boolean {
    const { clock, patienceMs } = this.#context;
    const nowMs = clock.monotonicMs();
    this.#emptySinceMs ??= nowMs;
    const leftMs = this.#emptySinceMs + (patienceMs?.() ?? 0) - nowMs;
    this.#patience?.cancel();
    if (leftMs <= 0) return false;
    this.#patience = clock.setTimer(leftMs, () => this.poke());
    return true;
  }

  #holds(office: OfficeState): boolean {
    return (
      office.state === 'present' &&
      office.createRevision === this.#term?.createRevision &&
      office.leaseId === this.#context.session.leaseId
    );
  }

  /** Until somebody holds the office, or this node may not run for it any more. */
  async #campaign(): Promise<void> {
    const { store, keys, clock, random, log, nodeId, name, session, isFit } = this.#context;
    const backoff = new Backoff(50, 2_000, random);
    const campaignedAtMs = clock.now();
    const record = encodeRecord(leaderRecordSchema, { nodeId, name, since: campaignedAtMs });
    while (this.#running && session.isTrusted() && isFit()) {
      try {
        const result = await store.txn({
          compare: [absent(keys.leader)],
          success: [put(keys.leader, record, session.leaseId)],
          failure: [get(keys.leader)],
        });
        if (result.succeeded) return this.#elect({ createRevision: result.revision, campaignedAtMs });
        const holder = result.results[0]?.type === 'get' ? result.results[0].kvs[0] : undefined;
        const ours = holder && this.#ours(holder);
        // The time of the campaign that created the key, which may be an earlier one whose reply was lost: changes since
        // then would otherwise count as older than this term.
        if (holder && ours)
          return this.#elect({ createRevision: holder.createRevision, campaignedAtMs: ours.since });
        if (holder) return;
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'a campaign got no answer; trying again');
        await sleep(clock, backoff.nextMs(), this.#abort.signal).catch(() => undefined);
      }
    }
  }

  /** The record in the key when it is this node's own. */
  #ours(holder: KeyValue): LeaderRecord | null {
    const decoded = decodeRecord(leaderRecordSchema, holder);
    const { nodeId, session } = this.#context;
    const isOurs = decoded.ok && decoded.value.nodeId === nodeId && holder.leaseId === session.leaseId;
    return isOurs ? decoded.value : null;
  }

  async #remove(modRevision: number, failure: string): Promise<void> {
    const { store, keys, clock, random, log } = this.#context;
    try {
      await store.txn({ compare: [modifiedAt(keys.leader, modRevision)], success: [del(keys.leader)] });
    } catch (error) {
      log.debug({ err: messageOf(error) }, `${failure}; trying again`);
      await sleep(clock, 500 + 500 * random(), this.#abort.signal).catch(() => undefined);
      this.#evaluateAgain = true;
    }
  }

  #elect(term: Term): void {
    if (!this.#running) {
      // Stopped while the answer was under way: `resign` reads the term after `stop`, and gives it back.
      this.#term = term;
      return;
    }
    this.#term = term;
    this.#context.log.info({ term: term.createRevision }, 'elected leader');
    this.#context.onElected(term);
  }

  #depose(reason: string): void {
    if (this.#term === null) return;
    this.#context.log.info({ term: this.#term.createRevision, reason }, 'no longer leader');
    this.#term = null;
    this.#context.onDeposed(reason);
  }
}

/** A leader key counts only while a lease can end it. */
function isOffice(office: OfficeState): office is Extract<OfficeState, { state: 'present' }> {
  return office.state === 'present' && office.leaseId !== null;
}
