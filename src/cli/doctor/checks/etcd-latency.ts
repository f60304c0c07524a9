import type { Check } from '../finding.js';

const SLOW_MS = 100;

/** Advice alone: what is slow depends on where this command runs. */
export const etcdLatency: Check = {
  name: 'etcd-latency',
  good: 'etcd answers quickly',
  find: ({ etcd: { readsMs } }) => {
    const sorted = [...readsMs].sort((a, b) => a - b);
    const medianMs = sorted[sorted.length >>> 1] ?? 0;
    if (medianMs <= SLOW_MS) return [];
    return [
      {
        severity: 'advice',
        what: `a read through etcd's quorum takes ${Math.round(medianMs)} ms from here`,
        where: [],
        remedy:
          'If it takes as long from the workers: claims are made 500 ms ahead, so raise --claim-lead. Look at the disks of etcd ("etcdctl check perf") and at the distance between its members.',
      },
    ];
  },
};
