import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import type { Cluster } from '../../etcd/cluster.js';
import { absent, put } from '../../etcd/txn.js';

const SECRET_BYTES = 32;
/** How often a signature that does not fit may make it be read again: somebody may have removed it, to have another. */
const READ_AGAIN_AFTER_MS = 5_000;

/** What the nodes of a cluster have in common, and nobody else: made by whoever needs it first. */
export class HopSecret {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  #reading: Promise<Buffer> | null = null;
  #readAtMs = -Infinity;

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  /** Rejects with a `StoreError`, and with ETCRON_INTERNAL where something else stands in its place. */
  get(): Promise<Buffer> {
    if (this.#reading === null) {
      this.#readAtMs = this.#clock.monotonicMs();
      this.#reading = readOrMake(this.#cluster);
      this.#reading.catch(() => (this.#reading = null));
    }
    return this.#reading;
  }

  /** What stands there now; null when that was read a moment ago. */
  async again(): Promise<Buffer | null> {
    if (this.#clock.monotonicMs() - this.#readAtMs < READ_AGAIN_AFTER_MS) return null;
    this.#reading = null;
    return this.get();
  }
}

async function readOrMake({ store, keys }: Cluster): Promise<Buffer> {
  const made = randomBytes(SECRET_BYTES);
  const { succeeded, results } = await store.txn({
    compare: [absent(keys.secret)],
    success: [put(keys.secret, made.toString('base64'))],
    failure: [{ type: 'get', key: keys.secret }],
  });
  if (succeeded) return made;
  const [found] = results;
  const text = found?.type === 'get' ? found.kvs[0]?.value.toString() : undefined;
  const secret = Buffer.from(text ?? '', 'base64');
  if (secret.length === SECRET_BYTES) return secret;
  throw new EtcronError('ETCRON_INTERNAL', `${keys.secret} in etcd does not hold what etcron wrote there`, {
    hint: `Delete it: etcdctl del ${keys.secret}; the next request between nodes makes a new one.`,
  });
}
