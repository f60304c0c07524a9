import { describe, expect, it } from 'vitest';
import { ClockGuard } from '../../src/node/clock-guard.js';
import { FakeClock, type SkewedClock } from '../../src/testing/fake-clock.js';
import { unreachable } from '../../src/testing/refusals.js';
import { MemoryCluster } from '../support/memory-cluster.js';

function guardWith(...offsets: number[]): { clock: FakeClock; guard: ClockGuard } {
  const clock = new FakeClock();
  const guard = new ClockGuard(clock, 'own', 1_000);
  for (const [index, offsetMs] of offsets.entries())
    guard.observe(`n${index}`, `n${index}-1`, clock.now() + offsetMs);
  return { clock, guard };
}

describe('the clock guard', () => {
  it.each([
    ['alone', [], null, true],
    ['with one other, who may be the one that is wrong', [300_000], null, true],
    ['with two others that agree with it', [0, 10], 0, true],
    ['with two others that agree with each other', [-5_000, -5_000], 5_000, false],
    ['with one that is far off among several', [0, 300_000, 10], -5, true],
    ['far behind', [60_000, 60_000, 60_010], -60_000, false],
    ['just within the bound', [1_000, 1_000], -1_000, true],
  ] as const)('judges a node %s', (_, offsets, skewMs, right) => {
    const { guard } = guardWith(...offsets);
    expect(guard.skewMs()).toBe(skewMs);
    expect(guard.isRight()).toBe(right);
  });

  it('notices at once when our own wall clock is set', () => {
    const { clock, guard } = guardWith(0, 0);
    clock.stepWall(5_000);
    expect(guard.isRight()).toBe(false);
    clock.stepWall(-5_000);
    expect(guard.isRight()).toBe(true);
  });

  it('takes the value that was under way for the shortest time', async () => {
    const { clock, guard } = guardWith(0, 0);
    for (const name of ['n0', 'n1']) guard.observe(name, `${name}-1`, clock.now() - 8_000);
    expect(guard.isRight()).toBe(true);
    await clock.advance(60_000);
    expect(guard.isRight()).toBe(true);
  });

  it('believes a worker that was set right', () => {
    const { clock, guard } = guardWith(-5_000, -5_000);
    for (let sample = 0; sample < 3; sample += 1) guard.observe('n0', 'n0-1', clock.now());
    expect(guard.skewMs()).toBe(0);
  });

  it('takes the node ids of one worker for one clock, and the newest for the one it shows', () => {
    const { clock, guard } = guardWith(-5_000);
    guard.observe('n0', 'n0-2', clock.now() - 7_000);
    expect([guard.known, guard.skewMs()]).toEqual([1, null]);
    guard.observe('n1', 'n1-1', clock.now() - 7_000);
    expect([guard.known, guard.skewMs()]).toEqual([2, 7_000]);
  });

  it('does not take its own clock for another', () => {
    const { clock, guard } = guardWith(0);
    guard.observe('own', 'own-1', clock.now());
    expect([guard.known, guard.skewMs()]).toEqual([1, null]);
  });

  it('forgets a clock that was heard of regularly a minute after its last sign', async () => {
    const { clock, guard } = guardWith(-5_000, -5_000);
    const hear = (name: string): void => guard.observe(name, `${name}-1`, clock.now() - 5_000);
    for (const name of ['n0', 'n1', 'n0', 'n1']) hear(name);
    await clock.advance(40_000);
    hear('n0');
    guard.gone('n1-1');
    await clock.advance(20_000);
    expect([guard.known, guard.isRight()]).toEqual([2, false]);
    // Whatever our own wall clock says of it.
    clock.stepWall(-3_600_000);
    await clock.advance(1);
    expect([guard.known, guard.skewMs()]).toEqual([1, null]);
  });

  it('keeps nothing of the last words of the dead, which may have been under way for long', async () => {
    const { clock, guard } = guardWith(0, 0, 0);
    guard.observe('n0', 'n0-2', clock.now() - 9_000);
    guard.observe('n1', 'n1-2', clock.now() - 9_000);
    expect(guard.isRight()).toBe(false);
    guard.gone('n0-1');
    expect(guard.isRight()).toBe(false);
    guard.gone('n0-2');
    expect(guard.known).toBe(2);
    await clock.advance(15_001);
    expect([guard.known, guard.isRight()]).toEqual([0, true]);
  });
});

describe('a node whose clock is off', () => {
  function clusterWithSkew(offsetMs: number): { cluster: MemoryCluster; clocks: Map<string, SkewedClock> } {
    const clocks = new Map<string, SkewedClock>();
    const cluster = new MemoryCluster({
      clock: (name, right) => {
        const clock = right.skewed({ offsetMs: name === 'off' ? offsetMs : 0 });
        clocks.set(name, clock);
        return clock;
      },
    });
    return { cluster, clocks };
  }

  const EVERY_SECOND = '* * * * * *';

  it.each([300_000, -300_000, 3_000])('by %d ms takes nothing, and does not lead', async (offsetMs) => {
    const { cluster } = clusterWithSkew(offsetMs);
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('tick', { schedule: EVERY_SECOND });
    await cluster.clock.advance(20_000);
    await cluster.addNodes('off');
    const from = cluster.clock.now();
    await cluster.clock.advance(20_000);
    for (const node of [...cluster.nodes]) if (node.node.isLeader()) node.crash();
    await cluster.clock.advance(40_000);
    expect(cluster.processes.filter((one) => one.node === 'off')).toEqual([]);
    expect(cluster.leader()?.name).toMatch(/^[abc]$/);
    expect(cluster.accounting('tick', EVERY_SECOND, from, cluster.clock.now() - 1_000)).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });

  it('stops when it is set wrong while it leads, gives back what it holds, and goes on when it is right again', async () => {
    const { cluster, clocks } = clusterWithSkew(0);
    await cluster.addNodes('off', 'b', 'c');
    expect(cluster.leader()?.name).toBe('off');
    await cluster.putJob('tick', { schedule: EVERY_SECOND });
    await cluster.clock.advance(20_250);
    const from = cluster.clock.now();
    const count = (): number =>
      cluster.processes.filter((one) => one.node === 'off' && one.dueMs > from + 1_000).length;
    clocks.get('off')!.stepWall(600_000);
    await cluster.clock.advance(30_000);
    expect(count()).toBe(0);
    expect(cluster.leader()?.name).toMatch(/^[bc]$/);
    expect(cluster.accounting('tick', EVERY_SECOND, from, cluster.clock.now() - 1_000)).toEqual([]);
    // Nothing was taken for missed because of one wrong clock.
    expect([...cluster.records('tick').values()].every((record) => record.outcome === 'succeeded')).toBe(
      true,
    );
    clocks.get('off')!.stepWall(-600_000);
    await cluster.clock.advance(30_000);
    expect(count()).toBeGreaterThan(0);
    expect(cluster.violations()).toEqual([]);
  });

  it('knows it still when all leases are gone and it is the first that is back', async () => {
    const { cluster } = clusterWithSkew(300_000);
    await cluster.addNodes('b', 'c', 'off');
    await cluster.clock.advance(10_000);
    const off = cluster.nodes.find(({ name }) => name === 'off')!;
    expect(off.node.clockSkewMs).toBe(300_000);
    for (const node of [...cluster.nodes]) if (node !== off) node.crash();
    for (const leaseId of cluster.etcd.leaseIds()) cluster.etcd.leaseRevoke(leaseId);
    await cluster.clock.advance(5_000);
    await cluster.putJob('tick', { schedule: EVERY_SECOND });
    await cluster.clock.advance(20_000);
    expect(off.node.view.workers.size).toBe(1);
    expect(off.node.isLeader()).toBe(false);
    expect(cluster.processes).toEqual([]);
    // It cannot tell for ever.
    await cluster.clock.advance(60_000);
    expect(off.node.isLeader()).toBe(true);
  });

  it('says what it plans as overdue before it does, so that the next leader does not plan over it', async () => {
    const { cluster, clocks } = clusterWithSkew(0);
    const [off] = await cluster.addNodes('off');
    await cluster.putJob('job', { schedule: '30 0 12 * * *', command: 'run 60000' });
    await cluster.clock.advance(3_000);
    // Nobody knows better.
    clocks.get('off')!.stepWall(60_000);
    off!.store.intercept = ({ args, phase }) => {
      const text = JSON.stringify(args);
      // The cursor moves in the transaction behind the one with the firing.
      if (phase === 'request' && /plannedThrough\W+due\W+2026-01-01T12:0(0:[45]|1)/.test(text))
        throw unreachable('no', false);
      if (phase === 'reply' && text.includes('"key":"/cron/lock/job/')) off!.crash();
    };
    await cluster.clock.advance(5_000);
    expect(cluster.nodes).toEqual([]);
    await cluster.addNodes('right');
    await cluster.clock.advance(120_000);
    // It took over what was claimed; a firing planned anew would be in its first attempt.
    expect([...cluster.records('job').values()]).toMatchObject([
      { outcome: 'succeeded', attempts: 2, crashes: 1 },
    ]);
    expect(cluster.processes.map(({ dueMs, startedAtMs }) => startedAtMs - dueMs)).toEqual([0]);
    await cluster.stop();
  });

  it('does not count twice while it is back and its old key still stands', async () => {
    const { cluster } = clusterWithSkew(300_000);
    const [wrong, right] = await cluster.addNodes('off', 'right');
    wrong!.crash();
    await cluster.addNodes('off');
    await cluster.clock.advance(1_000);
    expect(right!.node.view.workers.size).toBe(3);
    expect(right!.node.clockSkewMs).toBeNull();
  });
});
