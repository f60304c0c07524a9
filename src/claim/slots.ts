/**
 * Whose turn it is: the slots of jobs (`maxConcurrent`) and of limits that jobs share, judged from the view and from the
 * claims that this node has under way. Only the claim's transaction decides.
 *
 * Overlap concerns a job's own runs, and is judged once per firing, when its first attempt is due (a run that ends in the
 * last half second is no overlap):
 *     skip      ends `skipped`
 *     queue     waits, marked in etcd, unless `overlap.limit` others wait already: then it is `skipped`
 *     replace   waits, marked, and asks in the same transaction for the end of the oldest run; of several that wait the
 *               newest stays, and the others end `skipped`
 * A full limit makes every firing wait, marked as well, because nobody asked for it to be skipped; but no more of one job
 * than its overlap rule lets wait.
 *
 * The mark is a promise, like another attempt or the choice of a misfire policy: what carries one only waits from then on,
 * whatever happens to the workers. Without it a firing that nobody started would soon be the misfire policy's.
 *
 * Turns
 * - In the queue of a job, and among its late runs: by due time. Under a limit: by the time from which a firing may run.
 *   Who comes before counts only while he could go on: in a limit's line that is who has a free slot of his own job, one of
 *   each other limit that he is under, and a worker with room. So a full limit holds up nobody who is not under it, and
 *   nobody waits for one who waits for him: a limit's line leads to ever earlier firings.
 * - A view that is behind may show an older one as gone on that waits, or as waiting for its mark that has it. So a claim
 *   in a queue, and a mark that a bound allows, compare that those others are as they were seen.
 * - With k before it a firing may go where more than k slots are free, and takes the k-th of them. While slots beyond a
 *   lowered size are still held it takes the lowest free one and only as the first: then no more than the size ever run.
 */
import { slotGroup } from '../etcd/keys.js';
import type { Compare } from '../etcd/store.js';
import { absent, exists, modifiedAt } from '../etcd/txn.js';
import type { Job } from '../jobs/index.js';
import type { ClusterView, FiringEntry, ViewChanges } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import { besides, comesFirst, holdersOf, isInFlight, isOlder, isWaiting } from '../view/turn-order.js';
import type { LimitSlot } from './claim-txn.js';
import { LimitLines } from './limit-lines.js';

/** What a claim takes. */
export interface FreeSlots {
  /** Null for a job without a bound. */
  readonly slot: number | null;
  readonly limitSlots: readonly LimitSlot[];
  /** What must hold so that it is the firing's turn, beside the slots being free. */
  readonly provided: readonly Compare[];
}

/** What is to be done with a firing now. */
export type Verdict =
  | { readonly act: 'claim'; readonly free: FreeSlots }
  /** It waits for its turn, or for others to be judged; with `soon` that may come without any change in the view. */
  | { readonly act: 'wait'; readonly soon: boolean }
  /** Its time has not come: it is judged then. */
  | { readonly act: 'later' }
  /** From now on it waits, and the run that it replaces is to end, while `provided` holds. */
  | { readonly act: 'mark'; readonly replaced: FiringEntry | null; readonly provided: readonly Compare[] }
  /** `provided` must hold when the record is written. */
  | { readonly act: 'skip'; readonly reason: string; readonly provided: readonly Compare[] };

type Skip = Extract<Verdict, { act: 'skip' }>;

export interface SlotsContext {
  readonly view: ClusterView;
  /** Somebody may claim it now or when its time comes. */
  readonly isRaceable: (firing: FiringEntry) => boolean;
  /** One of the workers that may take it has room. */
  readonly hasTaker: (firing: FiringEntry, job: Job) => boolean;
}

/** The slots of a job as one firing finds them. */
interface Own {
  /** Null for a job without a bound; undefined where it is not its turn. */
  readonly slot: number | null | undefined;
  readonly taken: ReadonlySet<number>;
  readonly ahead: readonly FiringEntry[];
}

/** Compares that a skip brings at most, well below etcd's limit of 128. */
const MAX_PROVEN = 50;

const UNBOUNDED: Own = { slot: null, taken: new Set(), ahead: [] };

export class Slots {
  readonly #context: SlotsContext;
  readonly #lines: LimitLines;
  readonly #claiming = new Map<string, { readonly group: string; readonly free: FreeSlots }>();
  /** By job: those that were found to wait. */
  readonly #waiting = new Map<string, Set<string>>();

  constructor(context: SlotsContext) {
    this.#context = context;
    this.#lines = new LimitLines(context.view);
  }

  /** From now on every change of the view is told (`observe`): what a change that was missed leaves would stand for ever. */
  begin(): void {
    this.#lines.begin();
  }

  /** Looks at what the view shows, and changes nothing. */
  judge(firing: FiringEntry, job: Job, nowMs: number): Verdict {
    const own = this.#own(firing, job, nowMs);
    const limitSlots = own.slot === undefined ? 'full' : this.#limitSlots(firing, job, nowMs);
    if (own.slot !== undefined && typeof limitSlots === 'object')
      return { act: 'claim', free: { slot: own.slot, limitSlots, provided: this.#turn(firing, job, own) } };
    const isDue = nowMs >= startTime(firing);
    const { policy } = job.overlap;
    if (policy === 'replace' && isDue && isJudged(firing)) {
      const verdict = this.#replace(firing, own, nowMs);
      if (verdict) return verdict;
    }
    if (isPromised(firing)) {
      const isBehind = own.slot === undefined && own.taken.size < (job.maxConcurrent ?? 0);
      return { act: 'wait', soon: isBehind || limitSlots === 'behind' };
    }
    if (!isDue) return { act: 'later' };
    if (policy === 'skip' && own.slot === undefined) return this.#overlapped(firing, own);
    return policy === 'queue' || policy === 'allow'
      ? this.#bounded(firing, job, nowMs)
      : { act: 'mark', replaced: null, provided: [] };
  }

  /** For one that lost its claim against a slot of its job when it was due: all of them are taken. */
  allTaken(firing: FiringEntry, job: Job): Skip {
    const taken = new Set(Array.from({ length: job.maxConcurrent ?? 0 }, (_, index) => index));
    return this.#overlapped(firing, { slot: undefined, taken, ahead: [] });
  }

  /** A claim that takes these is under way. */
  claiming({ id, runId }: FiringEntry, free: FreeSlots): void {
    this.#claiming.set(runId, { group: slotGroup(id), free });
  }

  claimed(runId: string): void {
    this.#claiming.delete(runId);
  }

  /** It is looked at again when that may help: see `observe`. */
  wait({ id, runId }: FiringEntry): void {
    const waiting = this.#waiting.get(id.job) ?? new Set();
    this.#waiting.set(id.job, waiting.add(runId));
  }

  /** Takes over what changed, and returns those that waited and whose turn it may be now. */
  observe(
    changes: Pick<ViewChanges, 'firings' | 'jobs' | 'workers' | 'limits'>,
    nowMs: number,
  ): FiringEntry[] {
    const { view } = this.#context;
    const limits = this.#lines.update(changes);
    const jobs = new Set<string>(changes.jobs.keys());
    for (const name of changes.limits) limits.add(name);
    const touch = (firing: FiringEntry | undefined): void => {
      if (!firing) return;
      jobs.add(firing.id.job);
      for (const name of Object.keys(firing.value.limitSlots ?? {})) limits.add(name);
    };
    for (const [runId, before] of changes.firings) {
      touch(before);
      touch(view.firings.get(runId));
    }
    for (const nodeId of changes.workers.keys()) {
      if (view.workers.has(nodeId)) continue;
      for (const firing of view.firingsByNode.get(nodeId)?.values() ?? []) touch(firing);
    }
    return [
      ...[...jobs].flatMap((job) => this.#nextOfJob(job)),
      ...[...this.#lines.withNeighbours(limits)].flatMap((limit) => this.#nextInLine(limit, nowMs)),
    ];
  }

  // ── one job ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #besides(firing: FiringEntry): FiringEntry[] {
    return besides(this.#context.view, firing);
  }

  #own(firing: FiringEntry, job: Job, nowMs: number): Own {
    if (job.maxConcurrent === null) return UNBOUNDED;
    const taken = this.#taken(firing);
    const ahead = this.#ahead(firing, job, nowMs);
    // Whether an older one has its slot, or stays in the queue, will be known at once.
    const isDecided = job.overlap.policy !== 'queue' || !this.#isOlderUnderWay(firing);
    return { slot: isDecided ? pick(job.maxConcurrent, taken, ahead.length) : undefined, taken, ahead };
  }

  #isOlderUnderWay(firing: FiringEntry): boolean {
    if (this.#claiming.size === 0) return false;
    return this.#besides(firing).some((other) => this.#claiming.has(other.runId) && isOlder(other, firing));
  }

  /** What makes a place in a queue certain: all older ones are as they were seen, and have slots left if they wait. */
  #turn(firing: FiringEntry, job: Job, { slot, taken, ahead }: Own): Compare[] {
    if (job.overlap.policy !== 'queue' || !isJudged(firing)) return [];
    const { keys } = this.#context.view;
    const left = Array.from(
      { length: ahead.length === 0 ? 0 : (job.maxConcurrent ?? 0) },
      (_, index) => index,
    )
      .filter((index) => index !== slot && !taken.has(index))
      .slice(0, MAX_PROVEN)
      .map((index) => absent(keys.slot(slotGroup(firing.id), index)));
    return [...this.#asSeen(this.#besides(firing).filter((other) => isOlder(other, firing))), ...left];
  }

  #asSeen(firings: readonly FiringEntry[]): Compare[] {
    const { keys } = this.#context.view;
    return [...firings]
      .sort((a, b) => (isOlder(a, b) ? -1 : 1))
      .slice(0, MAX_PROVEN)
      .map(({ id, modRevision }) => modifiedAt(keys.firing(id), modRevision));
  }

  #taken(firing: FiringEntry): Set<number> {
    const { view } = this.#context;
    const taken = new Set<number>();
    for (const other of this.#besides(firing))
      if (other.value.slot !== null && isInFlight(view, other)) taken.add(other.value.slot);
    const group = slotGroup(firing.id);
    for (const [runId, one] of this.#claiming)
      if (runId !== firing.runId && one.group === group && one.free.slot !== null) taken.add(one.free.slot);
    return taken;
  }

  /** Those of its job that go before it and have no slot yet. */
  #ahead(firing: FiringEntry, job: Job, nowMs: number): FiringEntry[] {
    const { view, isRaceable } = this.#context;
    const throughMs = Math.max(nowMs, startTime(firing));
    const goesBefore = (other: FiringEntry): boolean => {
      if (job.overlap.policy === 'queue') return startTime(other) <= throughMs;
      // One that lost its worker was before them already.
      if (isLateRun(firing)) return isLateRun(other) || other.value.node !== null;
      return job.overlap.policy === 'skip' && !isPromised(firing) && isWaiting(other);
    };
    return this.#besides(firing).filter(
      (other) =>
        isOlder(other, firing) &&
        goesBefore(other) &&
        !isInFlight(view, other) &&
        !this.#claiming.has(other.runId) &&
        isRaceable(other),
    );
  }

  /** It may wait beside the others, or not. Older ones are judged before it, so that no two take the last place. */
  #bounded(firing: FiringEntry, job: Job, nowMs: number): Verdict {
    const { isRaceable } = this.#context;
    const others = this.#besides(firing);
    const waiting = others.filter((other) => isWaiting(other) || isLateRun(other));
    const { limit } = job.overlap;
    if (waiting.length >= limit) {
      const reason = `overlap: ${waiting.length} due times were waiting already`;
      // None of the first has left the queue, by whatever way.
      return { act: 'skip', reason, provided: this.#asSeen(waiting) };
    }
    const toBeJudged = others.filter(
      (other) =>
        other.value.node === null &&
        !isPromised(other) &&
        startTime(other) <= nowMs &&
        isOlder(other, firing) &&
        isRaceable(other),
    );
    if (waiting.length + toBeJudged.length >= limit) return { act: 'wait', soon: true };
    // None of the others waits meanwhile.
    const provided = this.#asSeen(others.filter((other) => !waiting.includes(other)));
    return { act: 'mark', replaced: null, provided };
  }

  #overlapped(firing: FiringEntry, { taken, ahead }: Own): Skip {
    const running = this.#besides(firing).filter(({ value }) => value.node !== null);
    const names = (firings: readonly FiringEntry[]): string => firings.map(({ runId }) => runId).join(', ');
    const reason =
      running.length === 0 && ahead.length > 0
        ? `overlap: ${names(ahead)} was still waiting`
        : `overlap: ${names(running) || 'another run'} was still running`;
    return {
      act: 'skip',
      reason,
      provided: [...this.#areTaken(firing, taken), ...this.#asSeen(ahead)],
    };
  }

  #areTaken({ id }: FiringEntry, slots: ReadonlySet<number>): Compare[] {
    const { keys } = this.#context.view;
    return [...slots].map((index) => exists(keys.slot(slotGroup(id), index)));
  }

  /** Null: nothing is to be replaced, it waits like any other. */
  #replace(firing: FiringEntry, own: Own, nowMs: number): Verdict | null {
    const { view, isRaceable } = this.#context;
    const others = this.#besides(firing);
    const newer = others.filter(
      (other) =>
        isOlder(firing, other) &&
        isJudged(other) &&
        other.value.node === null &&
        startTime(other) <= nowMs &&
        isRaceable(other),
    );
    const running = others.filter((other) => other.value.slot !== null && isInFlight(view, other));
    const successor = newest(newer) ?? (own.slot === undefined ? newestOfAll(running, firing) : undefined);
    if (successor) {
      const reason = `replaced by ${successor.runId} before it began`;
      return { act: 'skip', reason, provided: this.#asSeen([successor]) };
    }
    const isEnding = running.some(({ runId }) => view.kills.has(runId));
    if (own.slot !== undefined || isEnding) return null;
    const [oldest] = running
      .filter((other) => isOlder(other, firing))
      .sort((a, b) => a.modRevision - b.modRevision);
    if (!oldest) return null;
    // Nobody has asked for the end of another one meanwhile, which would make room, too.
    const notEnding = running.slice(0, MAX_PROVEN).map(({ id }) => absent(view.keys.kill(id)));
    const provided = [...this.#areTaken(firing, own.taken), ...notEnding];
    return { act: 'mark', replaced: oldest, provided };
  }

  #nextOfJob(name: string): FiringEntry[] {
    if (!this.#waiting.has(name)) return [];
    const waiting = this.#stillWaiting(name).sort((a, b) => (isOlder(a, b) ? -1 : 1));
    const job = this.#context.view.jobs.get(name)?.job;
    if (job?.maxConcurrent === null) return [];
    if (job?.overlap.policy !== 'queue' || job.everywhere) return waiting;
    const turns = waiting.filter(isPromised).slice(0, job.maxConcurrent);
    return [...turns, ...waiting.filter((firing) => !isPromised(firing))];
  }

  #stillWaiting(job: string): FiringEntry[] {
    const { view } = this.#context;
    const waiting = this.#waiting.get(job);
    const found: FiringEntry[] = [];
    for (const runId of waiting ?? []) {
      const firing = view.firings.get(runId);
      if (firing && !isInFlight(view, firing)) found.push(firing);
      else waiting?.delete(runId);
    }
    if (waiting?.size === 0) this.#waiting.delete(job);
    return found;
  }

  // ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One of each limit, or why there is none: a limit is full (or has no size), or others come first. */
  #limitSlots(firing: FiringEntry, job: Job, nowMs: number): LimitSlot[] | 'full' | 'behind' {
    const slots: LimitSlot[] = [];
    for (const name of job.limits) {
      const limit = this.#context.view.limits.get(name);
      const size = limit?.size ?? 0;
      const taken = this.#takenOf(name, firing.runId);
      if (limit === undefined || taken.size >= size) return 'full';
      const index = pick(size, taken, this.#aheadInLine(name, firing, nowMs));
      if (index === undefined) return 'behind';
      slots.push({ name, index, sizeRevision: limit.modRevision });
    }
    return slots;
  }

  #takenOf(limit: string, exceptRunId?: string): Set<number> {
    const taken = new Set<number>();
    for (const { runId, value } of holdersOf(this.#context.view, limit))
      if (runId !== exceptRunId) taken.add(value.limitSlots![limit]!);
    for (const [runId, { free }] of this.#claiming) {
      if (runId === exceptRunId) continue;
      for (const { name, index } of free.limitSlots) if (name === limit) taken.add(index);
    }
    return taken;
  }

  #aheadInLine(limit: string, firing: FiringEntry, nowMs: number): number {
    const throughMs = Math.max(nowMs, startTime(firing));
    let count = 0;
    for (const other of this.#lines.of(limit)) {
      if (other.runId === firing.runId || startTime(other) > throughMs || !comesFirst(other, firing))
        continue;
      if (this.#isInLine(other, limit, nowMs) && this.#hasTaker(other)) count += 1;
    }
    return count;
  }

  /** It waits for nothing but this limit, and perhaps for a worker that has room. */
  #isInLine(firing: FiringEntry, limit: string, nowMs: number): boolean {
    const { view, isRaceable } = this.#context;
    const job = view.jobs.get(firing.id.job)?.job;
    if (!job || isInFlight(view, firing) || this.#claiming.has(firing.runId)) return false;
    if (!isRaceable(firing) || this.#own(firing, job, nowMs).slot === undefined) return false;
    return job.limits.every((name) => name === limit || this.#room(name, firing.runId) > 0);
  }

  #room(limit: string, exceptRunId?: string): number {
    return (this.#context.view.limits.get(limit)?.size ?? 0) - this.#takenOf(limit, exceptRunId).size;
  }

  #hasTaker(firing: FiringEntry): boolean {
    const { view, hasTaker } = this.#context;
    const job = view.jobs.get(firing.id.job)?.job;
    return job ? hasTaker(firing, job) : false;
  }

  #nextInLine(name: string, nowMs: number): FiringEntry[] {
    const free = this.#room(name);
    if (free <= 0) return [];
    const waiting = [...this.#lines.of(name)].filter(({ id, runId }) =>
      this.#waiting.get(id.job)?.has(runId),
    );
    const next: FiringEntry[] = [];
    let served = 0;
    for (const firing of waiting.sort((a, b) => (comesFirst(a, b) ? -1 : 1))) {
      if (served >= free) break;
      // As of now: whose retry has come due meanwhile may stand before it in the queue of its job.
      if (!this.#isInLine(firing, name, nowMs)) continue;
      next.push(firing);
      // One for whom nobody has room is told as well, to wait for room from now on, and keeps nobody waiting.
      if (this.#hasTaker(firing)) served += 1;
    }
    return next;
  }
}

/** It was promised to run, so that what stands in its way only delays it. */
export function isPromised({ value }: FiringEntry): boolean {
  return value.attempt > 0 || value.misfire || value.waiting;
}

/** Its job's overlap rule says what becomes of it. */
function isJudged({ value }: FiringEntry): boolean {
  return value.attempt === 0 && !value.misfire;
}

/** A late run that a misfire policy chose, and that has not begun. */
function isLateRun({ value }: FiringEntry): boolean {
  return value.misfire && value.attempt === 0 && value.node === null;
}

/** The slot of so many for one that has `ahead` others before it; undefined where there is none. */
function pick(size: number, taken: ReadonlySet<number>, ahead: number): number | undefined {
  const isOverfull = ahead > 0 && [...taken].some((index) => index >= size);
  if (isOverfull || taken.size + ahead >= size) return undefined;
  let before = ahead;
  for (let index = 0; index < size; index += 1) {
    if (taken.has(index)) continue;
    if (before === 0) return index;
    before -= 1;
  }
  return undefined;
}

function newest(firings: readonly FiringEntry[]): FiringEntry | undefined {
  return firings.reduce<FiringEntry | undefined>(
    (found, firing) => (found === undefined || isOlder(found, firing) ? firing : found),
    undefined,
  );
}

/** The newest of those that run, where all of them are newer than the firing. */
function newestOfAll(running: readonly FiringEntry[], firing: FiringEntry): FiringEntry | undefined {
  return running.every((other) => isOlder(firing, other)) ? newest(running) : undefined;
}
