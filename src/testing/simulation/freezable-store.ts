/** A client of etcd in a process that can be frozen: what it sent is under way, but no answer and no event is heard. */
import type { Store } from '../../etcd/store.js';
import type { Freezer } from './freezer.js';

export function freezableStore(store: Store, freezer: Freezer): Store {
  const heard = <T>(call: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      call.then(
        (value) => freezer.pass(() => resolve(value)),
        (error: Error) => freezer.pass(() => reject(error)),
      );
    });
  return {
    range: (range, options) => heard(store.range(range, options)),
    txn: (txn, options) => heard(store.txn(txn, options)),
    leaseGrant: (ttlMs, options) => heard(store.leaseGrant(ttlMs, options)),
    leaseKeepAlive: (leaseId, options) => heard(store.leaseKeepAlive(leaseId, options)),
    leaseRevoke: (leaseId, options) => heard(store.leaseRevoke(leaseId, options)),
    status: (options) => heard(store.status(options)),
    close: () => store.close(),
    watch(range, fromRevision, listener) {
      let closed = false;
      const tell = (call: () => void): void =>
        freezer.pass(() => {
          if (!closed) call();
        });
      const watch = store.watch(range, fromRevision, {
        onEvents: (events) => tell(() => listener.onEvents(events)),
        onLost: (error) => tell(() => listener.onLost(error)),
        onConnection: (connected, error) => tell(() => listener.onConnection?.(connected, error)),
      });
      return {
        close: () => {
          closed = true;
          watch.close();
        },
      };
    },
  };
}
