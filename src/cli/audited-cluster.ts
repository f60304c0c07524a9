import type { Clock } from '../clock.js';
import { auditedStore } from '../operations/audit/audited-store.js';
import type { Cluster } from './environment.js';
import { requester } from './requester.js';

/** The same cluster, where what is changed is recorded as the change of whoever runs this command. */
export function auditedCluster<Given extends Cluster>(cluster: Given, clock: Clock): Given {
  const actor = { name: requester(), role: 'admin', via: 'cli' } as const;
  return { ...cluster, store: auditedStore(cluster.store, cluster.keys, clock, actor) };
}
