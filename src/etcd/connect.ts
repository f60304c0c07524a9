import type { ConnectionOptions } from './connection-options.js';
import { EtcdStore } from './etcd-store.js';
import { Keys } from './keys.js';
import { StoreError } from './store-error.js';

const HINTS: Partial<Record<string, string>> = {
  ETCRON_ETCD_UNREACHABLE:
    'Is etcd running there? Endpoints are set with --endpoints, ETCRON_ENDPOINTS or etcd.endpoints in etcron.yaml.',
};

/**
 * A store whose connection, credentials and quorum have been tried once. Rejects with one error that names each endpoint
 * and what is wrong with it: `ETCRON_ETCD_UNREACHABLE` when none answers, `ETCRON_ETCD_AUTH` when etcd refuses the user.
 */
export async function connect(options: ConnectionOptions): Promise<EtcdStore> {
  const store = new EtcdStore(options);
  try {
    await store.verify(new Keys(options.prefix).leader, { deadlineMs: options.dialDeadlineMs });
    return store;
  } catch (error) {
    await store.close();
    if (!(error instanceof StoreError)) throw error;
    const { code, message, maybeApplied, transient, details, cause } = error;
    const hint = error.hint ?? HINTS[code];
    throw new StoreError(code, message, {
      maybeApplied,
      transient,
      details,
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
