import { expect, it } from 'vitest';
import { formatAuditKey } from '../../src/etcd/audit-key.js';
import { Keys } from '../../src/etcd/keys.js';
import { prefixRange } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { AuditPruning, DEFAULT_AUDIT_LIMITS, type AuditLimits } from '../../src/plan/audit-pruning.js';
import { DEFAULT_HOUSEKEEPING, type HousekeepingContext } from '../../src/plan/housekeeping.js';
import type { Write } from '../../src/plan/leader-writer.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const keys = new Keys();
const NOW_MS = Date.UTC(2026, 0, 1, 12);
const DAY_MS = 86_400_000;

function setUp(limits: Partial<AuditLimits>) {
  const clock = new FakeClock(NOW_MS);
  const etcd = new MemoryEtcd(clock);
  const options = { ...DEFAULT_HOUSEKEEPING, pageSize: 7, audit: { ...DEFAULT_AUDIT_LIMITS, ...limits } };
  let looks = 0;
  const store = etcd.connect({
    intercept: ({ phase, method }) => void (phase === 'request' && method === 'range' && (looks += 1)),
  });
  const commit = ({ operations = [] }: Write) => {
    expect(operations.length).toBeLessThanOrEqual(120);
    const { revision } = etcd.txn({ compare: [], success: operations });
    return Promise.resolve({ committed: true, revision });
  };
  const context = { store, keys, clock, log: silentLogger(), options, writer: { commit } };
  const pruning = new AuditPruning(context as unknown as HousekeepingContext);
  let made = 0;
  return {
    clock,
    add(ageMs: number, sizeBytes = 100) {
      const random = String((made += 1)).padStart(12, '0');
      const name = formatAuditKey({ atMs: NOW_MS - ageMs, sizeBytes }, random);
      etcd.txn({ compare: [], success: [put(keys.audit + name, '{}')] });
    },
    addForeign: () => etcd.txn({ compare: [], success: [put(`${keys.audit}note`, 'x')] }),
    async prune() {
      let done = false;
      const pruned = pruning.pruneIfDue().finally(() => (done = true));
      while (!done) await clock.advance(0);
      await pruned;
      return etcd.range(prefixRange(keys.audit)).kvs.map(({ key }) => key.slice(keys.audit.length));
    },
    get looks() {
      return looks;
    },
  };
}

it('removes what is too old', async () => {
  const audit = setUp({ maxAgeMs: 10 * DAY_MS });
  for (const days of [1, 9, 11, 400]) audit.add(days * DAY_MS);
  expect((await audit.prune()).map((name) => name.slice(0, 10))).toEqual(['2025-12-23', '2025-12-31']);
});

it('keeps so many, the newest, and takes any number away', async () => {
  const audit = setUp({ maxRecords: 3 });
  for (let index = 0; index < 300; index += 1) audit.add(index * 60_000);
  const kept = await audit.prune();
  expect(kept.map((name) => name.slice(11, 16))).toEqual(['11:58', '11:59', '12:00']);
});

it('keeps so many bytes, as the keys tell them', async () => {
  const audit = setUp({ maxBytes: 10 * 1024 });
  for (let index = 0; index < 10; index += 1) audit.add(index * 60_000, 3_000);
  expect(await audit.prune()).toHaveLength(3);
});

it('leaves what is no audit record alone, and looks seldom', async () => {
  const audit = setUp({ maxRecords: 1, intervalMs: 600_000 });
  audit.addForeign();
  audit.add(1_000);
  audit.add(2_000);
  expect(await audit.prune()).toHaveLength(2);
  audit.add(3_000);
  const { looks } = audit;
  expect(await audit.prune()).toHaveLength(3);
  expect(audit.looks).toBe(looks);
  await audit.clock.advance(600_000);
  expect(await audit.prune()).toHaveLength(2);
});
