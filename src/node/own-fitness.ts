import type { Job } from '../jobs/index.js';
import type { Policy } from '../jobs/policy/policy.js';
import { unfitness } from '../view/eligibility.js';
import type { NodeOptions } from './options.js';

/** What of a node's ability its policy file decides; it may change while the node runs. */
export interface UnderPolicy {
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: everything. */
  readonly policy: Policy | undefined;
}

/**
 * Whether this node may run a job, by its own settings and policy: what stands under its name in etcd others may have
 * written. `underPolicy` is asked each time; a new object means that it changed.
 */
export function ownFitness(
  { name, capacity, handlers = [] }: Pick<NodeOptions, 'name' | 'capacity' | 'handlers'>,
  underPolicy: () => UnderPolicy,
): (job: Job) => boolean {
  let judgedUnder: UnderPolicy | null = null;
  let known = new WeakMap<Job, boolean>();
  return (job) => {
    const current = underPolicy();
    if (current !== judgedUnder) {
      judgedUnder = current;
      known = new WeakMap();
    }
    const before = known.get(job);
    if (before !== undefined) return before;
    const { labels, policy } = current;
    const ability = { name, labels, capacity, handlers: [...handlers] };
    const fits = unfitness(job, { ...ability, ...(policy === undefined ? {} : { policy }) }) === null;
    known.set(job, fits);
    return fits;
  };
}
