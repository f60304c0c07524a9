/**
 * Run records in the order of their due times, and by job. Bounded: beyond `max` the oldest are dropped, and `floorMs` says up to
 * where. Records come mostly at the new end and go at the old one; both are cheap, and what goes is swept out in batches.
 */
import { duePart, type FiringId } from '../../etcd/keys.js';
import { newestFirst, type Position, type RunItem } from './run-item.js';

interface Slot {
  item: RunItem;
  /** It is gone, and its place is swept later. */
  gone: boolean;
}

interface OfJob {
  readonly slots: Map<string, Slot>;
  /** Undefined: to be looked for. */
  newest: RunItem | undefined;
}

const SWEEP_SHARE = 0.1;
const SWEEP_MIN = 256;

export class RunShelf {
  readonly #max: number;
  /** The oldest first. */
  #slots: Slot[] = [];
  #gone = 0;
  readonly #jobs = new Map<string, OfJob>();
  #floorMs: number | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#slots.length - this.#gone;
  }

  /** Up to this due time records may be missing; null while all are there. */
  get floorMs(): number | null {
    return this.#floorMs;
  }

  /** There are others, up to this due time, that are not held. */
  lacksThrough(dueMs: number): void {
    this.#floorMs = Math.max(this.#floorMs ?? -Infinity, dueMs);
  }

  /** The same as `put` for each of them, in whatever order they come: sorted once, instead of moved each time. */
  putAll(items: readonly RunItem[]): void {
    for (const item of items) {
      const ofJob = this.#ofJob(item.id.job);
      const part = duePart(item.id);
      const known = ofJob.slots.get(part);
      ofJob.newest = undefined;
      if (known) known.item = item;
      else {
        const slot = { item, gone: false };
        ofJob.slots.set(part, slot);
        this.#slots.push(slot);
      }
    }
    this.#slots.sort((a, b) => newestFirst(b.item.id, a.item.id));
    while (this.size > this.#max) this.#dropOldest();
  }

  put(item: RunItem): void {
    const { id } = item;
    const ofJob = this.#ofJob(id.job);
    const part = duePart(id);
    const slot = ofJob.slots.get(part);
    if (slot) slot.item = item;
    else {
      const added = { item, gone: false };
      ofJob.slots.set(part, added);
      this.#insert(added);
    }
    if (ofJob.newest !== undefined && newestFirst(id, ofJob.newest.id) <= 0) ofJob.newest = item;
    if (this.size > this.#max) this.#dropOldest();
  }

  delete(id: FiringId): void {
    const ofJob = this.#jobs.get(id.job);
    const slot = ofJob?.slots.get(duePart(id));
    if (!ofJob || !slot) return;
    ofJob.slots.delete(duePart(id));
    if (ofJob.newest === slot.item) ofJob.newest = undefined;
    if (ofJob.slots.size === 0) this.#jobs.delete(id.job);
    slot.gone = true;
    this.#gone += 1;
    if (this.#gone > Math.max(SWEEP_MIN, this.#slots.length * SWEEP_SHARE)) this.#sweep();
  }

  get(id: FiringId): RunItem | undefined {
    return this.#jobs.get(id.job)?.slots.get(duePart(id))?.item;
  }

  newestOf(job: string): RunItem | undefined {
    const ofJob = this.#jobs.get(job);
    if (!ofJob) return undefined;
    if (ofJob.newest === undefined)
      for (const { item } of ofJob.slots.values())
        if (ofJob.newest === undefined || newestFirst(item.id, ofJob.newest.id) < 0) ofJob.newest = item;
    return ofJob.newest;
  }

  /** Newest first, from the one after `after`, or from the first one before `beforeMs`. */
  *newest({ after, beforeMs }: { after?: Position; beforeMs?: number } = {}): Generator<RunItem> {
    let index = this.#slots.length - 1;
    if (after !== undefined) index = this.#firstNotOlder(after) - 1;
    if (beforeMs !== undefined)
      index = Math.min(index, this.#firstNotOlder({ dueMs: beforeMs, job: '\u{10ffff}', suffix: null }) - 1);
    for (; index >= 0; index -= 1) {
      const slot = this.#slots[index];
      if (slot && !slot.gone) yield slot.item;
    }
  }

  /** Of one job, in no particular order. */
  *ofJob(job: string): Generator<RunItem> {
    for (const { item } of this.#jobs.get(job)?.slots.values() ?? []) yield item;
  }

  #ofJob(job: string): OfJob {
    let ofJob = this.#jobs.get(job);
    if (!ofJob) this.#jobs.set(job, (ofJob = { slots: new Map(), newest: undefined }));
    return ofJob;
  }

  #insert(slot: Slot): void {
    const last = this.#slots.at(-1);
    if (last === undefined || newestFirst(slot.item.id, last.item.id) < 0) this.#slots.push(slot);
    else this.#slots.splice(this.#firstNotOlder(slot.item.id), 0, slot);
  }

  /** The index of the first slot that does not come after `position` in a list of the newest first. */
  #firstNotOlder(position: Position): number {
    let [low, high] = [0, this.#slots.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (newestFirst(this.#slots[middle]!.item.id, position) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** More than one at a time, so that the next ones are cheap. */
  #dropOldest(): void {
    const count = Math.max(1, Math.floor(this.#max / 100));
    const oldest: RunItem[] = [];
    for (const slot of this.#slots) {
      if (oldest.length === count) break;
      if (!slot.gone) oldest.push(slot.item);
    }
    for (const { id } of oldest) {
      this.delete(id);
      this.lacksThrough(id.dueMs);
    }
  }

  #sweep(): void {
    this.#slots = this.#slots.filter(({ gone }) => !gone);
    this.#gone = 0;
  }
}
