/**
 * What is due next, of all jobs, in the total order (due, job).
 *
 * Jobs with the same schedule form a group, which is asked once for each of its due times, however many jobs it has: the
 * heap holds groups. 100,000 jobs with 200 different schedules cost 200 answers when a term begins, and 3,000 jobs that are
 * due every second cost one a second. Schedules are interned (`parseSchedule`), so "the same" is the same object; a job
 * whose schedule is its own has a group of its own.
 *
 * State
 *     position   what `peek` answers lies behind it
 *     heap       each group that has jobs and a due time to come, by `dueMs`: its first due time that can lie behind the
 *                position (of a group due at the position's own time, the jobs behind the position's job do)
 *     instant    while the jobs of one due time are gone through: the groups that are due then, taken from the heap, and
 *                the names of their jobs in order
 *     doneMs     a due time whose groups went on to their next one, since none of their jobs was behind the position
 *
 * Invariants
 * - The instant can be given up at any time (its groups go back into the heap as they were) and is found again from the
 *   position.
 * - A job that is enrolled may come behind the position at a time that its group has done with: then all groups are
 *   filed anew. (Never in practice: the position stands behind whole times when jobs are enrolled.)
 */
import { Heap } from '../heap.js';
import type { Schedule } from '../schedule/index.js';
import { isBehind, type Occurrence, type Position } from './order.js';

interface Group {
  readonly schedule: Schedule;
  readonly names: Set<string>;
  /** The names in order; null: to be sorted when they are needed. */
  sorted: string[] | null;
  dueMs: number;
}

interface Instant {
  readonly dueMs: number;
  readonly groups: readonly Group[];
  readonly names: readonly string[];
  /** Of the first name behind the position. */
  index: number;
}

export class Upcoming {
  readonly #groups = new Map<Schedule, Group>();
  readonly #groupOf = new Map<string, Group>();
  readonly #heap = new Heap<Group>((a, b) => a.dueMs < b.dueMs);
  #position: Position = { due: 0, job: null };
  #instant: Instant | null = null;
  #doneMs: number | null = null;

  /** How many jobs are enrolled. */
  get size(): number {
    return this.#groupOf.size;
  }

  /** From the position on the job is due by this schedule, and by no other; null: never. */
  enrol(name: string, schedule: Schedule | null): void {
    const before = this.#groupOf.get(name);
    if (before?.schedule === (schedule ?? undefined)) return;
    this.#giveUpInstant();
    if (this.#doneMs !== null) this.#rebuild();
    if (before) this.#leave(before, name);
    if (schedule) this.#join(schedule, name);
    else this.#groupOf.delete(name);
  }

  /** Goes on from this position, which may lie before the present one. */
  moveTo(position: Position): void {
    const { due, job } = position;
    const instant = this.#instant;
    if (this.#doneMs !== null && (due > this.#doneMs || job === null)) this.#doneMs = null;
    // The usual step: what `peek` said has been taken.
    if (instant?.dueMs === due && instant.names[instant.index] === job) {
      instant.index += 1;
      this.#position = position;
      return;
    }
    this.#giveUpInstant();
    const isBack = isBehind(this.#position, position);
    this.#position = position;
    if (isBack) this.#rebuild();
    else this.#skipPassed();
  }

  /** The first occurrence behind the position. */
  peek(): Occurrence | undefined {
    for (;;) {
      const instant = (this.#instant ??= this.#nextInstant());
      if (instant === null) return undefined;
      const job = instant.names[instant.index];
      if (job !== undefined) return { dueMs: instant.dueMs, job };
      this.#instant = null;
      this.#doneMs = instant.dueMs;
      for (const group of instant.groups) this.#file(group, instant.dueMs);
    }
  }

  /** The first due time of each job that has one behind the position and up to `throughMs`; in order. */
  firstThrough(throughMs: number): Occurrence[] {
    this.#giveUpInstant();
    if (!this.#isAnyDue(throughMs)) return [];
    const found: Occurrence[] = [];
    for (const { schedule, names, dueMs } of this.#heap.items()) {
      if (dueMs > throughMs) continue;
      const isAtPosition = dueMs === this.#position.due;
      const laterMs = isAtPosition ? (schedule.next(dueMs) ?? Infinity) : dueMs;
      for (const job of names) {
        const firstMs = isAtPosition && this.#isPassed(job) ? laterMs : dueMs;
        if (firstMs <= throughMs) found.push({ dueMs: firstMs, job });
      }
    }
    return found.sort((a, b) => a.dueMs - b.dueMs || (a.job < b.job ? -1 : 1));
  }

  #isAnyDue(throughMs: number): boolean {
    const top = this.#heap.peek();
    return top !== undefined && top.dueMs <= throughMs;
  }

  #join(schedule: Schedule, name: string): void {
    let group = this.#groups.get(schedule);
    if (!group) {
      group = { schedule, names: new Set(), sorted: [], dueMs: 0 };
      this.#groups.set(schedule, group);
      this.#file(group, this.#passedMs);
    }
    group.names.add(name);
    this.#groupOf.set(name, group);
    const { sorted } = group;
    const last = sorted?.at(-1);
    // A listing brings them in order.
    if (sorted && (last === undefined || last < name)) sorted.push(name);
    else group.sorted = null;
  }

  #leave(group: Group, name: string): void {
    group.names.delete(name);
    group.sorted = null;
    // In the heap it is dropped when it comes to its top.
    if (group.names.size === 0) this.#groups.delete(group.schedule);
  }

  /** Puts a group into the heap with its first due time after `afterMs`. */
  #file(group: Group, afterMs: number): void {
    const dueMs = group.schedule.next(afterMs);
    if (dueMs === null) return;
    group.dueMs = dueMs;
    this.#heap.push(group);
  }

  /** No due time up to here can have a job behind the position. */
  get #passedMs(): number {
    const { due, job } = this.#position;
    return job === null ? due : due - 1;
  }

  #rebuild(): void {
    this.#instant = null;
    this.#doneMs = null;
    this.#heap.clear();
    for (const group of this.#groups.values()) this.#file(group, this.#passedMs);
  }

  /** Groups whose due time lies before the position get their next one. */
  #skipPassed(): void {
    const passedMs = this.#passedMs;
    for (let top = this.#heap.peek(); top; top = this.#heap.peek()) {
      const isEmpty = top.names.size === 0;
      if (!isEmpty && top.dueMs > passedMs) return;
      this.#heap.pop();
      if (!isEmpty) this.#file(top, passedMs);
    }
  }

  #nextInstant(): Instant | null {
    const groups: Group[] = [];
    for (let top = this.#heap.peek(); top; top = this.#heap.peek()) {
      if (groups.length > 0 && top.dueMs !== groups[0]!.dueMs) break;
      this.#heap.pop();
      if (top.names.size > 0) groups.push(top);
    }
    const [first] = groups;
    if (!first) return null;
    const names = groups.length === 1 ? sortedNames(first) : groups.flatMap(sortedNames).sort();
    const { dueMs } = first;
    return { dueMs, groups, names, index: dueMs === this.#position.due ? this.#firstBehind(names) : 0 };
  }

  #firstBehind(names: readonly string[]): number {
    const index = names.findIndex((name) => !this.#isPassed(name));
    return index < 0 ? names.length : index;
  }

  /** At the position's own time: the job does not come behind it. */
  #isPassed(name: string): boolean {
    const { job } = this.#position;
    return job === null || name <= job;
  }

  #giveUpInstant(): void {
    const groups = this.#instant?.groups ?? [];
    this.#instant = null;
    for (const group of groups) this.#heap.push(group);
  }
}

function sortedNames(group: Group): string[] {
  return (group.sorted ??= [...group.names].sort());
}
