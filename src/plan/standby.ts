/**
 * Ready to lead: every node enrols all jobs by what is due next (`upcoming.ts`), as their definitions change, so that a
 * takeover computes nothing that the node has known all along.
 *
 *     follower   each changed job is enrolled anew at once
 *     leader     the enrolment is lent to the planner, which enrols each job when it has been planned by its new
 *                definition; what changes meanwhile is noted, and enrolled when the cursor is taken up again or the term ends
 *
 * A term can begin before the planner of the one before has ended, whose last write is still under way. That planner keeps
 * what it was lent, and the new one gets an enrolment made from scratch.
 */
import type { ClusterView } from '../view/cluster-view.js';
import { Upcoming } from './upcoming.js';

/** All jobs of a view by what is due next, but for those that wait for the planner. */
export class Enrolment {
  readonly upcoming = new Upcoming();
  readonly #view: ClusterView;
  /** What is enrolled of them may not be what the view shows. */
  readonly #changed = new Set<string>();

  constructor(view: ClusterView) {
    this.#view = view;
    this.note(view.jobs.keys());
  }

  note(changed: Iterable<string>): void {
    for (const name of changed) this.#changed.add(name);
  }

  /** Enrols all jobs as the view shows them. */
  refresh(): void {
    for (const name of this.#changed)
      this.upcoming.enrol(name, this.#view.jobs.get(name)?.expectedSchedule ?? null);
    this.#changed.clear();
  }

  /** The job is not due until somebody enrols it. */
  withhold(name: string): void {
    this.upcoming.enrol(name, null);
    this.#changed.add(name);
  }
}

export class Standby {
  readonly #view: ClusterView;
  #enrolment: Enrolment;
  #isLent = false;

  constructor(view: ClusterView) {
    this.#view = view;
    this.#enrolment = new Enrolment(view);
    view.onChange(({ jobs }) => {
      this.#enrolment.note(jobs.keys());
      if (!this.#isLent) this.#enrolment.refresh();
    });
  }

  /** For one term; to be given back at its end. */
  lend(): Enrolment {
    if (this.#isLent) this.#enrolment = new Enrolment(this.#view);
    this.#isLent = true;
    return this.#enrolment;
  }

  giveBack(enrolment: Enrolment): void {
    if (enrolment !== this.#enrolment) return;
    this.#isLent = false;
    enrolment.refresh();
  }
}
