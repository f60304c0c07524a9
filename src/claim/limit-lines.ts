/** Which firings are under which limits by the definitions of their jobs, whether they run, wait, or are still to come. */
import type { ClusterView, FiringEntry, ViewChanges } from '../view/cluster-view.js';

export class LimitLines {
  readonly #view: ClusterView;
  readonly #byLimit = new Map<string, Map<string, FiringEntry>>();
  readonly #limitsByJob = new Map<string, readonly string[]>();

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** Takes over what the view shows now. From then on every change must be told (`update`). */
  begin(): void {
    this.#byLimit.clear();
    this.#limitsByJob.clear();
    for (const name of this.#view.firingsByJob.keys()) this.#addJob(name);
  }

  of(limit: string): Iterable<FiringEntry> {
    return this.#byLimit.get(limit)?.values() ?? [];
  }

  /** Takes over what changed, and returns the limits whose lines that concerns. */
  update(changes: Pick<ViewChanges, 'firings' | 'jobs'>): Set<string> {
    const concerned = new Set<string>();
    const add = (limits: Iterable<string>): void => {
      for (const limit of limits) concerned.add(limit);
    };
    for (const name of changes.jobs.keys()) {
      add(this.#limitsByJob.get(name) ?? []);
      this.#removeJob(name);
      this.#addJob(name);
      add(this.#limitsByJob.get(name) ?? []);
    }
    for (const [runId, before] of changes.firings) {
      const after = this.#view.firings.get(runId);
      const job = (after ?? before)?.id.job;
      if (job === undefined) continue;
      for (const limit of this.#limitsOf(job)) {
        concerned.add(limit);
        if (after) this.#put(limit, after);
        else this.#remove(limit, runId);
      }
      if (!this.#view.firingsByJob.has(job)) this.#limitsByJob.delete(job);
    }
    return concerned;
  }

  /** With the limits that firings in these lines are under besides: who comes first there depends on the room here. */
  withNeighbours(limits: ReadonlySet<string>): Set<string> {
    const found = new Set(limits);
    for (const limit of limits)
      for (const { id } of this.of(limit)) for (const name of this.#limitsOf(id.job)) found.add(name);
    return found;
  }

  /** A definition is parsed when a firing of it shows, as the race for the firing does anyhow. */
  #limitsOf(job: string): readonly string[] {
    let limits = this.#limitsByJob.get(job);
    if (limits === undefined) {
      limits = this.#view.jobs.get(job)?.job?.limits ?? [];
      this.#limitsByJob.set(job, limits);
    }
    return limits;
  }

  #addJob(name: string): void {
    const firings = this.#view.firingsByJob.get(name);
    if (firings === undefined) return;
    for (const limit of this.#limitsOf(name)) for (const firing of firings.values()) this.#put(limit, firing);
  }

  #removeJob(name: string): void {
    for (const limit of this.#limitsByJob.get(name) ?? []) {
      for (const firing of [...this.of(limit)]) if (firing.id.job === name) this.#remove(limit, firing.runId);
    }
    this.#limitsByJob.delete(name);
  }

  #put(limit: string, firing: FiringEntry): void {
    const line = this.#byLimit.get(limit);
    if (line) line.set(firing.runId, firing);
    else this.#byLimit.set(limit, new Map([[firing.runId, firing]]));
  }

  #remove(limit: string, runId: string): void {
    const line = this.#byLimit.get(limit);
    line?.delete(runId);
    if (line?.size === 0) this.#byLimit.delete(limit);
  }
}
