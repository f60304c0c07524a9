/**
 * Ready to lead: every node enrols all jobs by what is due next (`upcoming.ts`), as their definitions change, so that a
 * takeover computes nothing that the node has known all along.
 *
 *     follower   each changed job is enrolled anew; of many (when the node starts) a part at a time, so that nothing waits
 *     leader     the enrolment is lent to the planner, which enrols each job when it has been planned by its new
 *                definition; what changes meanwhile is noted, and enrolled when the cursor is taken up again or the term ends
 *
 * A term can begin before the planner of the one before has ended, whose last write is still under way. That planner keeps
 * what it was lent, and the new one gets an enrolment made from scratch.
 */
import type { Clock, Timer } from '../clock.js';
import type { ClusterView } from '../view/cluster-view.js';
import { Upcoming } from './upcoming.js';

/** Of 5 to 10 µs each. */
const AT_ONCE = 500;
const PAUSE_MS = 50;

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

  /** Enrols all jobs as the view shows them, but for those in `waiting`, which are not due until somebody enrols them. */
  refresh(waiting: ReadonlyMap<string, unknown>): void {
    for (const name of waiting.keys()) {
      this.upcoming.enrol(name, null);
      this.#changed.delete(name);
    }
    this.refreshSome(Infinity);
    for (const name of waiting.keys()) this.#changed.add(name);
  }

  /** Enrols jobs as the view shows them, `count` at most. True when that was all. */
  refreshSome(count: number): boolean {
    let left = count;
    for (const name of this.#changed) {
      if (left === 0) return false;
      left -= 1;
      this.upcoming.enrol(name, this.#view.jobs.get(name)?.expectedSchedule ?? null);
      this.#changed.delete(name);
    }
    return true;
  }
}

export class Standby {
  readonly #view: ClusterView;
  readonly #clock: Clock;
  #enrolment: Enrolment;
  #isLent = false;
  #timer: Timer | null = null;

  constructor(view: ClusterView, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
    this.#enrolment = new Enrolment(view);
    view.onChange(({ jobs }) => {
      this.#enrolment.note(jobs.keys());
      if (this.#timer === null) this.#enrolSome();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** For one term; to be given back at its end. */
  lend(): Enrolment {
    if (this.#isLent) this.#enrolment = new Enrolment(this.#view);
    this.#isLent = true;
    this.stop();
    return this.#enrolment;
  }

  giveBack(enrolment: Enrolment): void {
    if (enrolment !== this.#enrolment) return;
    this.#isLent = false;
    this.#enrolSome();
  }

  #enrolSome(): void {
    this.#timer = null;
    if (this.#isLent || this.#enrolment.refreshSome(AT_ONCE)) return;
    this.#timer = this.#clock.setTimer(PAUSE_MS, () => this.#enrolSome());
  }
}
