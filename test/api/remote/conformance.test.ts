/** A store behind HTTP is a store: ranges, transactions and watches pass the same tests, leases aside. */
import { fastify } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { errorHandler } from '../../../src/api/problem.js';
import { connectRemote } from '../../../src/api/remote/remote-store.js';
import { storeRoutes } from '../../../src/api/remote/store-routes.js';
import type { ApiServices } from '../../../src/api/services.js';
import { systemClock } from '../../../src/clock.js';
import { Keys } from '../../../src/etcd/keys.js';
import type { Store } from '../../../src/etcd/store.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import { storeConformance, type ConformanceSubject } from '../../etcd/conformance.js';

/** Everything is allowed: what a role may do has tests of its own. */
async function remoteSubject(): Promise<ConformanceSubject> {
  const etcd = new MemoryEtcd(systemClock);
  const direct = etcd.connect({ name: 'server' });
  const keys = new Keys('/conformance');
  const app = fastify({ forceCloseConnections: true });
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(errorHandler(silentLogger()));
  app.decorateRequest('actor', { getter: () => ({ name: 'test', role: 'admin', via: 'api' }) as const });
  const services = {
    context: { store: direct, keys, clock: systemClock, log: silentLogger() },
    operations: () => ({ store: direct }),
  } as unknown as ApiServices;
  const policy = { assertReadable: () => undefined, assertPermitted: async () => undefined };
  await app.register(
    (scope, _options, done) => {
      storeRoutes(scope, services, policy);
      done();
    },
    { prefix: '/api/v1' },
  );
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const { store: remote } = await connectRemote({ url, token: null, ca: null }, systemClock);
  const usesLease = (operation: object): boolean => 'leaseId' in operation;
  const store: Store = {
    range: (range, options) => remote.range(range, options),
    watch: (range, fromRevision, listener) => remote.watch(range, fromRevision, listener),
    status: () => remote.status(),
    txn: (txn) => ([...txn.success, ...(txn.failure ?? [])].some(usesLease) ? direct : remote).txn(txn),
    leaseGrant: (ttlMs) => direct.leaseGrant(ttlMs),
    leaseKeepAlive: (leaseId) => direct.leaseKeepAlive(leaseId),
    leaseRevoke: (leaseId) => direct.leaseRevoke(leaseId),
    close: () => remote.close(),
  };
  return {
    store,
    compact: async (revision) => etcd.compact(revision),
    waitForLeaseExpiry: async () => undefined,
    close: async () => {
      await remote.close();
      await app.close();
    },
  };
}

storeConformance('behind HTTP', remoteSubject);
