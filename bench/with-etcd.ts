import { startEmbeddedEtcd, type EmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import type { EtcdBinary } from '../src/etcd/embedded/find-etcd.js';
import { silentLogger } from '../src/telemetry/logger.js';

/** More revisions, and a larger quota, than any scenario needs. */
const WHOLE_HISTORY = [
  ...['--auto-compaction-retention', '1000000000'],
  ...['--quota-backend-bytes', String(8 * 2 ** 30)],
];

/**
 * Calls `use` with a new etcd, with fsync on, that is gone afterwards. Its history can be read from the beginning, or is
 * compacted as it would be by default.
 */
export async function withEtcd<T>(
  binary: EtcdBinary,
  use: (etcd: EmbeddedEtcd) => Promise<T>,
  { compacts = false }: { readonly compacts?: boolean } = {},
): Promise<T> {
  const etcd = await startEmbeddedEtcd({
    ...{ binary, log: silentLogger() },
    ...(compacts ? {} : { flags: WHOLE_HISTORY }),
  });
  try {
    return await use(etcd);
  } finally {
    await etcd.stop();
  }
}
