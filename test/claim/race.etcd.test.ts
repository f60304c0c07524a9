import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareClaim, type ClaimResult } from '../../src/claim/claim-txn.js';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { Keys } from '../../src/etcd/keys.js';
import { put } from '../../src/etcd/txn.js';
import { encodeFiring, plannedFiring } from '../../src/view/firing-record.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
});

it('lets one of ten clients win a claim, and tells the others who holds it', async () => {
  const keys = new Keys('/race');
  const stores = Array.from({ length: 10 }, () => new EtcdStore({ endpoints: etcd.endpoints }));
  const id = { job: 'contested', dueMs: Date.UTC(2026, 0, 1), suffix: null };
  const firing = plannedFiring('f');
  const setUp = await stores[0]!.txn({
    compare: [],
    success: [put(keys.job(id.job), '{}'), put(keys.firing(id), encodeFiring(firing))],
  });
  const claims = await Promise.all(
    stores.map(async (store, index) => {
      const { leaseId } = await store.leaseGrant(10_000);
      return prepareClaim(keys, {
        ...{
          id,
          firing,
          firingRevision: setUp.revision,
          jobRevision: setUp.revision,
          leaseId,
          nowMs: Date.now(),
        },
        ...{
          nodeId: `node-${index}`,
          worker: `worker-${index}`,
          slot: 0,
          limitSlots: [],
          provided: [],
          afterCrash: false,
        },
        count: null,
      });
    }),
  );
  const results = await Promise.all(
    claims.map(async (claim, index): Promise<ClaimResult> =>
      claim.interpret(await stores[index]!.txn(claim.txn)),
    ),
  );
  const winners = results.flatMap((result, index) => (result.won ? [index] : []));
  expect(winners).toHaveLength(1);
  const [winner] = winners;
  const losers = results.filter((result) => !result.won);
  expect(losers).toHaveLength(9);
  for (const loser of losers) {
    expect(loser).toMatchObject({
      why: 'held',
      holder: { node: `node-${winner}`, worker: `worker-${winner}`, attempt: 1 },
    });
  }
  // The winner asks again, as it would after a lost reply, and learns that it holds the claim, under the same token.
  const again = claims[winner!]!.interpret(await stores[winner!]!.txn(claims[winner!]!.txn));
  expect(again).toEqual(results[winner!]);
  await Promise.all(stores.map((store) => store.close()));
});
