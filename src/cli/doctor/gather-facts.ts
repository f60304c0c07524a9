import type { Clock } from '../../clock.js';
import type { Cluster } from '../../etcd/cluster.js';
import type { ConnectionOptions } from '../../etcd/connection-options.js';
import { StoreError } from '../../etcd/store-error.js';
import { singleKey } from '../../etcd/store.js';
import { takeSnapshot } from '../../operations/snapshot.js';
import type { DoctorFacts, EtcdAccess, EtcdFacts } from './facts.js';
import { findForeignKeys } from './foreign-keys.js';
import { listenToClocks } from './listen-to-clocks.js';

const READS = 7;
/** A history that is never compacted fills the database; a minute of a busy cluster is some ten thousand revisions. */
const MANY_REVISIONS = 500_000;
const LOOPBACK = /^(127\.|localhost(:|$)|\[::1\])/;

export interface GatherOptions {
  readonly clock: Clock;
  /** How etcd was connected to; null when somebody else did. */
  readonly connection: ConnectionOptions | null;
  /** How long to wait for the workers' clocks; 0: not at all. */
  readonly listenMs: number;
  /** So many revisions that can still be read count as a history that nothing compacts; default 500,000. */
  readonly manyRevisions?: number;
}

/** Rejects with a `StoreError`. Writes nothing. */
export async function gatherFacts(cluster: Cluster, options: GatherOptions): Promise<DoctorFacts> {
  const { clock, listenMs } = options;
  const snapshot = await takeSnapshot(cluster);
  const clocks = listenMs > 0 ? listenToClocks(cluster, snapshot, clock, listenMs) : Promise.resolve([]);
  const [etcd, foreign] = [
    await gatherEtcd(cluster, options, snapshot.revision),
    await findForeignKeys(cluster, snapshot),
  ];
  return { nowMs: clock.now(), snapshot, etcd, foreign, clocks: await clocks };
}

async function gatherEtcd(
  cluster: Cluster,
  { clock, connection, manyRevisions = MANY_REVISIONS }: GatherOptions,
  revision: number,
): Promise<EtcdFacts> {
  const { store, keys } = cluster;
  const members = await store.status();
  const readsMs: number[] = [];
  for (let read = 0; read < READS; read += 1) {
    const sentAtMs = clock.monotonicMs();
    await store.range(singleKey(keys.leader), { countOnly: true });
    readsMs.push(clock.monotonicMs() - sentAtMs);
  }
  const answering = new Set(members.map(({ endpoint }) => endpoint));
  const given = connection?.endpoints ?? [];
  return {
    members,
    silent: given.some((endpoint) => answering.has(endpoint))
      ? given.filter((endpoint) => !answering.has(endpoint))
      : [],
    readsMs,
    uncompacted: (await isReadable(cluster, revision - manyRevisions)) ? manyRevisions : null,
    access: connection && accessOf(connection),
  };
}

async function isReadable({ store, keys }: Cluster, revision: number): Promise<boolean> {
  if (revision <= 1) return false;
  try {
    await store.range(singleKey(keys.leader), { revision, keysOnly: true });
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.details.compacted === true) return false;
    throw error;
  }
}

function accessOf({ credentials, tls, endpoints }: ConnectionOptions): EtcdAccess {
  return {
    isAuthenticated: credentials !== null || (tls !== null && tls.cert !== null),
    isEncrypted: tls !== null,
    isLocal: endpoints.every((endpoint) => LOOPBACK.test(endpoint)),
  };
}
