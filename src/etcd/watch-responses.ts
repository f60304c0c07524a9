/**
 * From the responses of a watch, as they come over the wire, to events that its listener may see: each once, whole
 * revisions only. A stream that was opened anew repeats what the one before it has already brought, and a large revision
 * comes in fragments.
 */
import type { WatchEvent } from './store.js';

export class WatchResponses {
  #fragments: WatchEvent[] = [];
  #nextRevision: number;

  constructor(nextRevision: number) {
    this.#nextRevision = nextRevision;
  }

  /** One more than the revision of the last event that was handed over, or than what is known to be complete. */
  get nextRevision(): number {
    return this.#nextRevision;
  }

  /** A fragment whose rest did not come is worth nothing. */
  streamBegins(): void {
    this.#fragments = [];
  }

  /** No event up to this revision is still to come. */
  completeThrough(revision: number): void {
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
  }

  /** The events of a response that are complete and new. `isFragment`: more of the same revision follows. */
  take(events: readonly WatchEvent[], isFragment: boolean): WatchEvent[] {
    this.#fragments.push(...events);
    if (isFragment) return [];
    const fresh = this.#fragments.filter((event) => revisionOf(event) >= this.#nextRevision);
    this.#fragments = [];
    const last = fresh.at(-1);
    if (last) this.#nextRevision = revisionOf(last) + 1;
    return fresh;
  }

  get isEmpty(): boolean {
    return this.#fragments.length === 0;
  }
}

export function revisionOf(event: WatchEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}
