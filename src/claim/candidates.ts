/** The workers that may claim, and the order in which they try for one firing. */
import type { Job } from '../jobs/index.js';
import type { FiringEntry, WorkerEntry } from '../view/cluster-view.js';
import { abilitiesOf, fitsAnybody, unfitness, type Ability } from '../view/eligibility.js';
import { hashText, rankOf, type Candidate } from './rank.js';

interface AbleCandidate extends Candidate {
  readonly ability: Ability;
}

/** Where there are policies each job asks for something of its own, and jobs come and go. */
const MAX_KEPT = 20_000;

export class Candidates {
  #all: readonly AbleCandidate[] = [];
  #signature = '';
  #hasPolicies = false;
  /** By what a job asks for: many jobs ask for the same. */
  readonly #fitting = new Map<string, readonly AbleCandidate[]>();

  /** True when it changed who is there, or what one of them can do. */
  update(workers: Iterable<WorkerEntry>): boolean {
    const able = abilitiesOf(workers);
    const signature = JSON.stringify(able);
    if (signature === this.#signature) return false;
    this.#all = able.map(({ nodeId, ability }) => ({ nodeId, ability, hash: hashText(nodeId) }));
    this.#signature = signature;
    this.#hasPolicies = able.some(({ ability }) => ability.policy !== undefined);
    this.#fitting.clear();
    return true;
  }

  /** How many try before the node: 0 is the first; -1 when the firing is not for it. Without a job anybody may try. */
  rank(job: Job | null, firing: FiringEntry, nodeId: string): number {
    if (job === null) return rankOf(firing.runId, nodeId, this.#all);
    const { only } = firing.value;
    const fitting = this.#fittingFor(job);
    const asked = only === null ? fitting : fitting.filter(({ ability }) => ability.name === only.worker);
    return rankOf(firing.runId, nodeId, asked);
  }

  /** Another worker than the one of that name fits. */
  hasOther(job: Job, name: string): boolean {
    return this.#fittingFor(job).some(({ ability }) => ability.name !== name);
  }

  /** One of those that may take it has room. `loadOf` says how much of its capacity a node has given away. */
  hasRoom(job: Job, { value }: FiringEntry, loadOf: (nodeId: string) => number): boolean {
    return this.#fittingFor(job).some(
      ({ nodeId, ability }) =>
        (value.only === null || ability.name === value.only.worker) &&
        ability.capacity - loadOf(nodeId) >= job.weight,
    );
  }

  #fittingFor(job: Job): readonly AbleCandidate[] {
    if (!this.#hasPolicies && fitsAnybody(job, [])) return this.#all;
    const { target, weight, task } = job;
    // Any part of a job may be what a policy forbids.
    const judged = this.#hasPolicies ? [job.name, task, job.secrets] : null;
    const asked = JSON.stringify([target, weight, task.kind === 'handler' ? task.handler : null, judged]);
    let fitting = this.#fitting.get(asked);
    if (fitting === undefined) {
      fitting = this.#all.filter(({ ability }) => unfitness(job, ability) === null);
      if (this.#fitting.size >= MAX_KEPT) this.#fitting.clear();
      this.#fitting.set(asked, fitting);
    }
    return fitting;
  }
}
