import { isActive } from '../../../view/eligibility.js';
import type { Check } from '../finding.js';

const FULL_SHARE = 0.9;

export const capacity: Check = {
  name: 'capacity',
  good: 'the workers have room',
  find: ({ snapshot }) => {
    const active = snapshot.workers.filter(({ value }) => isActive(value));
    const total = active.reduce((sum, { value }) => sum + value.capacity, 0);
    const nodes = new Set(active.map(({ nodeId }) => nodeId));
    const load = snapshot.firings.reduce(
      (sum, { id, value }) =>
        value.node !== null && nodes.has(value.node)
          ? sum + (snapshot.jobs.get(id.job)?.job?.weight ?? 1)
          : sum,
      0,
    );
    if (total === 0 || load / total < FULL_SHARE) return [];
    return [
      {
        severity: 'warning',
        what: `runs take ${load} of the capacity of ${total} of all workers`,
        where: active.map(({ nodeId, value }) => `${nodeId}, capacity ${value.capacity}`),
        remedy:
          'When it is used up, due times wait. End runs that hang ("etcron runs kill <run>"), start another worker, or raise --capacity.',
      },
    ];
  },
};
