import type { Keys } from './keys.js';
import type { Store } from './store.js';

/** An open connection, and where the keys of this cluster lie. */
export interface Cluster {
  readonly store: Store;
  readonly keys: Keys;
}
