import type { Job } from '../jobs/index.js';
import { unfitness } from '../view/eligibility.js';
import type { NodeOptions } from './options.js';

/**
 * Whether this node may run a job, by its own settings and policy: what stands under its name in etcd others may have
 * written.
 */
export function ownFitness({
  name,
  labels,
  capacity,
  handlers = [],
  policy,
}: Pick<NodeOptions, 'name' | 'labels' | 'capacity' | 'handlers' | 'policy'>): (job: Job) => boolean {
  const ability = {
    name,
    labels,
    capacity,
    handlers: [...handlers],
    ...(policy === undefined ? {} : { policy }),
  };
  const known = new WeakMap<Job, boolean>();
  return (job) => {
    const before = known.get(job);
    if (before !== undefined) return before;
    const fits = unfitness(job, ability) === null;
    known.set(job, fits);
    return fits;
  };
}
