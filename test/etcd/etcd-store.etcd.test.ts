import { systemClock, sleep } from '../../src/clock.js';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { etcdctl, startEtcd } from '../support/etcd.js';
import { storeConformance } from './conformance.js';

storeConformance('etcd', async () => {
  const etcd = await startEtcd();
  const store = new EtcdStore({ endpoints: [new URL(etcd.endpoint).host] });
  return {
    store,
    compact: async (revision) => {
      await etcdctl(['compact', String(revision)], { endpoints: [etcd.endpoint] });
    },
    waitForLeaseExpiry: (ttlMs) => sleep(systemClock, ttlMs),
    close: async () => {
      await store.close();
      await etcd.stop();
    },
  };
});
