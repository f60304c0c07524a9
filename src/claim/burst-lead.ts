/**
 * How much earlier than usual a firing is claimed, when many of this node's are due at one moment. A claim takes a fraction of
 * a millisecond, but ten thousand at midnight are more than fit into the usual lead: what is not claimed when it is
 * due is late, and others step in for it, which costs once more what is scarce just then.
 */

/** So many fit into the usual lead. */
const WITHIN_USUAL_LEAD = 200;
const EACH_MS = 1.2;
/** Nobody else can have what was claimed, so not longer than it takes to notice that a worker is gone. */
const MAX_LEAD_MS = 4_000;

interface Place {
  readonly startMs: number;
  readonly leadMs: number;
}

export class BurstLead {
  readonly #places = new Map<string, Place>();
  readonly #counts = new Map<number, number>();

  /** The extra lead of a run that starts at `startMs`, ms. It stays the same until the run is forgotten, or starts at another time. */
  of(runId: string, startMs: number): number {
    const known = this.#places.get(runId);
    if (known?.startMs === startMs) return known.leadMs;
    if (known) this.forget(runId);
    const before = this.#counts.get(startMs) ?? 0;
    const leadMs = Math.min(Math.max(0, before - WITHIN_USUAL_LEAD) * EACH_MS, MAX_LEAD_MS);
    this.#counts.set(startMs, before + 1);
    this.#places.set(runId, { startMs, leadMs });
    return leadMs;
  }

  forget(runId: string): void {
    const place = this.#places.get(runId);
    if (!place) return;
    this.#places.delete(runId);
    const left = (this.#counts.get(place.startMs) ?? 1) - 1;
    if (left > 0) this.#counts.set(place.startMs, left);
    else this.#counts.delete(place.startMs);
  }

  /** How many runs it remembers. */
  get size(): number {
    return this.#places.size;
  }
}
