/** Whole nodes among records of their own in which somebody changed a field: the healthy job never notices. */
import { expect, it } from 'vitest';
import { prefixRange } from '../../src/etcd/store.js';
import { createRandom, type Random } from '../../src/random.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { mutations } from '../support/hostile-values.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const SECONDLY = '* * * * * *';
const SEEDS = 24;
const ROUNDS = 25;

/** A key that stands there and is not the healthy job's, or one that could. */
function someRecord(cluster: MemoryCluster, random: Random): { key: string; record: object } | null {
  const { keys, etcd } = cluster;
  const bases = [
    keys.firings,
    keys.runs,
    keys.locks,
    keys.workers,
    keys.jobs,
    keys.cursor,
    keys.leader,
    keys.kills,
    keys.counts,
    keys.drains,
    keys.handover,
  ];
  const base = random.pick(bases);
  const found = etcd.range(prefixRange(base)).kvs.filter(({ key }) => !key.includes('/healthy'));
  if (found.length === 0) return null;
  const { key, value } = random.pick(found);
  try {
    const record: unknown = JSON.parse(value.toString());
    return typeof record === 'object' && record !== null ? { key, record } : null;
  } catch {
    return null;
  }
}

it.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'goes on among damaged records (seed %d)',
  async (seed) => {
    const errors: string[] = [];
    const log = createLogger({
      destination: {
        write: (line: string) => {
          const { level, msg } = JSON.parse(line) as { level: number; msg: string };
          if (level >= 50) errors.push(msg);
        },
      },
    });
    const random = createRandom(`damage ${seed}`);
    const cluster = new MemoryCluster({ seed, log });
    const { clock, keys } = cluster;
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('healthy', { schedule: SECONDLY });
    await cluster.putJob('victim', {
      schedule: SECONDLY,
      command: 'run 700 exit 1 until 2',
      retries: { attempts: 3, delay: '1s' },
    });
    await cluster.putJob('victim-2', {
      ...{ schedule: '*/3 * * * * *', command: 'run 4000', recovery: 'abandon' },
      ...{ maxRuns: 9, startDeadline: '5s', removeAfter: '20s' },
    });
    await clock.advance(4_000);
    const fromMs = clock.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      await clock.advance(random.int(1_500));
      if (random.chance(0.1)) {
        const runId = cluster.firings('victim')[0];
        const kill = JSON.stringify({ by: 'me', reason: 'x', at: new Date(clock.now()).toISOString() });
        if (runId !== undefined) await cluster.putKey(keys.kills + runId, kill);
      }
      // Of one node alone, so that there is always another one.
      const asked = { by: 'me', at: new Date(clock.now()).toISOString() };
      if (random.chance(0.1))
        await cluster.putKey(keys.drain('c'), JSON.stringify({ ...asked, reason: 'x' }));
      if (random.chance(0.1)) await cluster.putKey(keys.handover, JSON.stringify({ ...asked, to: 'b' }));
      const found = someRecord(cluster, random);
      if (!found) continue;
      // With a step between two nodes' looks, and sometimes in the middle of a takeover.
      const damaged = mutations(random, found.record).next().value as string;
      await cluster.putKey(found.key, damaged);
      if (round === 12) cluster.leader()?.crash();
    }
    const quietMs = clock.now();
    await clock.advance(45_000);
    expect(cluster.accounting('healthy', SECONDLY, fromMs, clock.now() - 2_000)).toEqual([]);
    expect(cluster.violations().filter((line) => line.includes('healthy/'))).toEqual([]);
    const after = cluster.processes.filter(
      ({ runId, dueMs }) => runId.startsWith('healthy/') && dueMs > quietMs + 20_000,
    );
    expect(after.length).toBeGreaterThan(20);
    const known = /cursor|clock is off/;
    expect(errors.filter((message) => !known.test(message))).toEqual([]);
    await cluster.stop();
  },
);
