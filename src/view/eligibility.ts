/**
 * Which workers may take a firing: labels, handlers, capacity, policies, and for a job that runs everywhere the one worker that the
 * firing is for. Where nobody may, the reason is for people. Whether a worker has room just now is another matter.
 */
import type { WorkerRecord } from '../election/worker-record.js';
import type { Job, WantedLabels } from '../jobs/index.js';
import { forbidden } from '../jobs/policy/judge.js';
import type { FiringRecord } from './firing-record.js';

/** What of a worker decides. */
export type Ability = Pick<WorkerRecord, 'name' | 'labels' | 'capacity' | 'handlers' | 'policy'>;

type Candidate = Ability & Pick<WorkerRecord, 'state' | 'skewed'>;

const ANY = '*';

/** The job asks nothing of a worker that not every one of these has. */
export function fitsAnybody(
  { target, task, weight }: Job,
  workers: Iterable<Pick<Ability, 'policy'>>,
): boolean {
  for (const { policy } of workers) if (policy !== undefined) return false;
  return weight === 1 && task.kind !== 'handler' && isEmpty(target.with) && isEmpty(target.without);
}

/** What keeps the worker from running the job at all, such as `has no label disk=ssd`; null when nothing does. */
export function unfitness(job: Job, worker: Ability): string | null {
  for (const [label, values] of Object.entries(job.target.with)) {
    if (!matches(worker, label, values)) return `has no label ${labelText(label, values)}`;
  }
  for (const [label, values] of Object.entries(job.target.without)) {
    if (matches(worker, label, values)) return `has the label ${label}=${worker.labels[label]}`;
  }
  if (job.task.kind === 'handler' && !worker.handlers.includes(job.task.handler))
    return `has no handler ${job.task.handler}`;
  if (job.weight > worker.capacity)
    return `has a capacity of ${worker.capacity}, below the weight of ${job.weight}`;
  const what = worker.policy === undefined ? null : forbidden(worker.policy, job);
  return what === null ? null : `has a policy that forbids ${what}`;
}

/** It takes firings now. */
export function isActive({ state, skewed }: Pick<WorkerRecord, 'state' | 'skewed'>): boolean {
  return state === 'active' && !skewed;
}

/**
 * Why none of the workers may take the firing (null: any firing of the job), such as `2 workers have no label disk=ssd`;
 * null when at least one may.
 */
export function whyNobody(
  job: Job,
  firing: Pick<FiringRecord, 'only'> | null,
  workers: Iterable<Candidate>,
): string | null {
  const all = [...workers];
  const active = all.filter(isActive);
  if (active.length === 0) return 'there is no active worker';
  const only = firing?.only ?? null;
  const asked = only === null ? active : active.filter(({ name }) => name === only.worker);
  if (only !== null && asked.length === 0) {
    const isThere = all.some(({ name }) => name === only.worker);
    return `its worker ${only.worker} ${isThere ? 'takes nothing now' : 'is not there'}`;
  }
  const reasons = new Map<string, number>();
  for (const worker of asked) {
    const reason = unfitness(job, worker);
    if (reason === null) return null;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  if (only !== null) return `its worker ${only.worker} ${[...reasons.keys()].join()}`;
  return [...reasons]
    .map(([reason, count]) =>
      count === 1 ? `a worker ${reason}` : `${count} workers each ${reason.replace(/^has/, 'have')}`,
    )
    .join(', ');
}

/** What the workers that take firings can do, by node id and in its order; equal as JSON for as long as nothing changed. */
export function abilitiesOf(
  workers: Iterable<{ readonly nodeId: string; readonly value: Candidate }>,
): { nodeId: string; ability: Ability }[] {
  return [...workers]
    .filter(({ value }) => isActive(value))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    .map(({ nodeId, value: { name, labels, handlers, capacity, policy } }) => ({
      nodeId,
      ability: { name, labels, handlers, capacity, ...(policy === undefined ? {} : { policy }) },
    }));
}

/** The names of the workers that fit, in order: those that a job for all of them runs on. */
export function fittingWorkers(job: Job, workers: Iterable<Candidate>): string[] {
  const fitting = [...workers].filter((worker) => isActive(worker) && unfitness(job, worker) === null);
  return [...new Set(fitting.map(({ name }) => name))].sort();
}

function matches({ labels }: Ability, label: string, values: readonly string[]): boolean {
  const own = Object.hasOwn(labels, label) ? labels[label] : undefined;
  return own !== undefined && values.some((value) => value === ANY || value === own);
}

function labelText(label: string, values: readonly string[]): string {
  if (values.includes(ANY)) return label;
  return values.length === 1 ? `${label}=${values[0]}` : `${label}=${values.join('|')}`;
}

function isEmpty(labels: WantedLabels): boolean {
  return Object.keys(labels).length === 0;
}
