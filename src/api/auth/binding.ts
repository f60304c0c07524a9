/**
 * Where the API may listen.
 *
 *                     no token in etcd                  a token
 *     loopback        everybody here is an admin        by token
 *     elsewhere       refused                           by token, with TLS or `--insecure-http`
 *
 * Without TLS whoever is on the way reads the tokens and uses them; so somebody has to say that they mean it, because TLS ends
 * at a proxy in front, or the network is theirs alone.
 */
import { EtcronError } from '../../errors.js';
import type { Cluster } from '../../etcd/cluster.js';
import { prefixRange } from '../../etcd/store.js';
import { isLoopbackAddress } from './origin.js';

export interface ListenWish {
  /** As it was written: a name, an address, `0.0.0.0`. */
  readonly host: string;
  readonly hasTls: boolean;
  /** Clear text on a network is wanted. */
  readonly insecureHttp: boolean;
}

/** Rejects with ETCRON_LISTEN_REFUSED, saying why and what to do, and with a `StoreError` when the tokens cannot be looked up. */
export async function checkListen(
  { store, keys }: Cluster,
  { host, hasTls, insecureHttp }: ListenWish,
): Promise<void> {
  if (isLoopbackAddress(host)) return;
  if (!hasTls && !insecureHttp) {
    throw new EtcronError(
      'ETCRON_LISTEN_REFUSED',
      `the API does not listen on ${host} without TLS: tokens could be read on their way, and used by others`,
      {
        hint: 'Give it --api-cert and --api-key; or pass --insecure-http where TLS ends in front of it, or the network is yours alone.',
        details: { host },
      },
    );
  }
  const { count } = await store.range(prefixRange(keys.tokens), { countOnly: true });
  if (count > 0) return;
  throw new EtcronError(
    'ETCRON_LISTEN_REFUSED',
    `the API does not listen on ${host} while there is no token: anybody there could run commands on the workers`,
    {
      hint: 'Make one with "etcron tokens create <name> --role admin"; or listen on 127.0.0.1, where none is needed.',
      details: { host },
    },
  );
}
