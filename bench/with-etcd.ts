import { startEmbeddedEtcd, type EmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import type { EtcdBinary } from '../src/etcd/embedded/find-etcd.js';
import { silentLogger } from '../src/telemetry/logger.js';

/** Calls `use` with a new etcd, with fsync on, that is gone afterwards. */
export async function withEtcd<T>(binary: EtcdBinary, use: (etcd: EmbeddedEtcd) => Promise<T>): Promise<T> {
  const etcd = await startEmbeddedEtcd({ binary, log: silentLogger() });
  try {
    return await use(etcd);
  } finally {
    await etcd.stop();
  }
}
