/** Drains and hand-overs on whole nodes, as an operator asks for them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { decodeRecord } from '../../src/etcd/record.js';
import { prefixRange } from '../../src/etcd/store.js';
import type { OperationContext } from '../../src/operations/context.js';
import { drainWorker, resumeWorker } from '../../src/operations/drain-worker.js';
import { handOver, waitForNextLeader } from '../../src/operations/hand-over.js';
import { waitForDrain } from '../../src/operations/wait-for-drain.js';
import { unreachable } from '../../src/testing/refusals.js';
import { MemoryCluster } from '../support/memory-cluster.js';

let cluster: MemoryCluster;
let context: OperationContext;

beforeEach(() => {
  cluster = new MemoryCluster();
  context = { store: cluster.admin, keys: cluster.keys, clock: cluster.clock, actor: { name: 'ann' } };
});

afterEach(async () => {
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

/** The clock goes on until the work is done. */
async function during<T>(work: Promise<T>, maxMs = 60_000): Promise<T> {
  let isOver = false;
  const settled = work.finally(() => (isOver = true));
  settled.catch(() => undefined);
  for (let ms = 0; !isOver && ms < maxMs; ms += 10) await cluster.clock.advance(10);
  return settled;
}

function states(): Record<string, string> {
  const { kvs } = cluster.etcd.range(prefixRange(cluster.keys.workers));
  return Object.fromEntries(
    kvs.map((kv) => {
      const record = decodeRecord(workerRecordSchema, kv);
      if (!record.ok) throw new Error(record.problem);
      return [record.value.name, record.value.state];
    }),
  );
}

const startedOn = (name: string, sinceMs: number) =>
  cluster.processes.filter((process) => process.node === name && process.startedAtMs >= sinceMs);

describe('a drained worker', () => {
  it('takes nothing more, lets what runs go on, gives back what has not started, and resumes', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.putJob('often', { schedule: '* * * * * *', overlap: 'allow', command: 'run 3000' });
    await cluster.clock.advance(10_000);
    expect(startedOn('w1', 0).length).toBeGreaterThan(0);
    const fromMs = cluster.clock.now();
    // Between a claim and its due time.
    await cluster.clock.advance(700);
    const asked = await during(drainWorker(context, 'w1', { reason: 'new kernel' }));
    expect(asked).toEqual({ changed: true, others: ['w2'] });
    const requestedMs = cluster.clock.now();
    await cluster.clock.advance(300);
    expect(states()).toEqual({ w1: 'draining', w2: 'active' });
    const askedMs = cluster.clock.now();
    const progress: number[] = [];
    await during(
      waitForDrain(context, 'w1', { timeoutMs: null, onProgress: (runs) => progress.push(runs.length) }),
    );
    expect(cluster.clock.now() - askedMs).toBeGreaterThan(1_000);
    expect(progress.at(-1)).toBe(0);
    expect(startedOn('w1', requestedMs)).toEqual([]);
    expect(startedOn('w1', fromMs - 3_000).every(({ endedAtMs }) => endedAtMs !== null)).toBe(true);
    await cluster.clock.advance(20_000);
    expect(startedOn('w1', askedMs)).toEqual([]);
    expect(await during(resumeWorker(context, 'w1'))).toEqual({ changed: true });
    const resumedMs = cluster.clock.now();
    await cluster.clock.advance(20_000);
    expect(states()).toEqual({ w1: 'active', w2: 'active' });
    expect(startedOn('w1', resumedMs).length).toBeGreaterThan(0);
    expect(cluster.accounting('often', '* * * * * *', fromMs, cluster.clock.now() - 5_000)).toEqual([]);
    const outcomes = new Set([...cluster.records('often').values()].map(({ outcome }) => outcome));
    expect([...outcomes]).toEqual(['succeeded']);
  });

  it('stays drained when it is started anew', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.putJob('often', { schedule: '* * * * * *' });
    await during(drainWorker(context, 'w1'));
    cluster.nodes.find(({ name }) => name === 'w1')!.crash();
    const againMs = cluster.clock.now();
    await cluster.clock.advance(1_000);
    await cluster.addNodes('w1');
    await cluster.clock.advance(30_000);
    expect(states()).toEqual({ w1: 'draining', w2: 'active' });
    expect(startedOn('w1', againMs)).toEqual([]);
  });

  it('leads only while no active worker is there', async () => {
    await cluster.addNodes('w1');
    await cluster.clock.advance(5_000);
    await during(drainWorker(context, 'w1'));
    await cluster.clock.advance(5_000);
    expect(cluster.leader()?.name).toBe('w1');
    await cluster.addNodes('w2');
    await cluster.clock.advance(10_000);
    expect(cluster.leader()?.name).toBe('w2');
    await during(drainWorker(context, 'w2'));
    await cluster.clock.advance(5_000);
    expect(cluster.leader()?.name).toBe('w2');
    // Nobody is active: what falls due is accounted for all the same.
    await cluster.putJob('idle', { schedule: '* * * * * *', misfire: 'skip' });
    const fromMs = cluster.clock.now();
    await cluster.clock.advance(60_000);
    expect(cluster.accounting('idle', '* * * * * *', fromMs + 2_000, cluster.clock.now() - 20_000)).toEqual(
      [],
    );
    expect(cluster.processes).toEqual([]);
  });

  it('is waited for until it says so, and no longer than asked', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.putJob('long', { schedule: '* * * * * *', command: 'run 600000', overlap: 'allow' });
    await cluster.clock.advance(10_000);
    await during(drainWorker(context, 'w1'));
    const wait = (timeoutMs: number | null) =>
      waitForDrain(context, 'w1', { timeoutMs, onProgress: () => undefined });
    await expect(during(wait(5_000))).rejects.toMatchObject({
      code: 'ETCRON_WAIT_TIMEOUT',
      message: expect.stringMatching(/"w1" is not drained after 5s: it has \d+ runs left/) as string,
    });
    const waiting = wait(null);
    const refused = expect(waiting).rejects.toMatchObject({ code: 'ETCRON_CONFLICT' });
    await cluster.clock.advance(100);
    await during(resumeWorker(context, 'w1'));
    await during(refused);
    expect(await during(resumeWorker(context, 'w1'))).toEqual({ changed: false });
  });

  it('is one that lives', async () => {
    await cluster.addNodes('worker-1');
    await expect(during(drainWorker(context, 'worker1'))).rejects.toMatchObject({
      code: 'ETCRON_WORKER_NOT_FOUND',
      hint: 'Did you mean "worker-1"?',
    });
    await expect(during(resumeWorker(context, 'x'))).rejects.toMatchObject({
      code: 'ETCRON_WORKER_NOT_FOUND',
    });
  });

  it('is not drained by a value that is none, and is by an empty one', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.putKey(cluster.keys.drain('w1'), 'no JSON');
    await cluster.clock.advance(6_000);
    expect(states()).toEqual({ w1: 'active', w2: 'active' });
    await cluster.putKey(cluster.keys.drain('w1'), '{}');
    await cluster.clock.advance(100);
    expect(states()).toEqual({ w1: 'draining', w2: 'active' });
  });
});

describe('handing over', () => {
  const other = (name: string | undefined): string => (name === 'w1' ? 'w2' : 'w1');

  it('makes another worker lead, loses no due time, and leaves no request behind', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.putJob('often', { schedule: '* * * * * *' });
    await cluster.clock.advance(10_000);
    const fromMs = cluster.clock.now();
    for (let round = 0; round < 4; round += 1) {
      const before = cluster.leader()?.name;
      const office = await during(handOver(context));
      expect(office.leader.name).toBe(before);
      const next = await during(waitForNextLeader(context, office.term, { timeoutMs: 10_000 }));
      expect(next.leader.name).toBe(other(before));
      expect(cluster.etcd.get(cluster.keys.handover)).toBeNull();
      await cluster.clock.advance(5_000);
      expect(cluster.leader()?.name).toBe(other(before));
    }
    await cluster.clock.advance(5_000);
    expect(cluster.accounting('often', '* * * * * *', fromMs, cluster.clock.now() - 2_000)).toEqual([]);
    const late = [...cluster.records('often').values()].filter(({ latenessMs }) => latenessMs !== 0);
    expect(late).toEqual([]);
  });

  it('goes to the worker that was named', async () => {
    const names = ['w1', 'w2', 'w3', 'w4', 'w5'];
    await cluster.addNodes(...names);
    await cluster.clock.advance(5_000);
    for (const to of ['w4', 'w2', 'w5', 'w1', 'w3']) {
      if (cluster.leader()?.name === to) continue;
      const office = await during(handOver(context, { to }));
      const next = await during(waitForNextLeader(context, office.term, { timeoutMs: 10_000 }));
      expect(next.leader.name).toBe(to);
      await cluster.clock.advance(1_000);
      expect(cluster.etcd.get(cluster.keys.handover)).toBeNull();
    }
  });

  it('goes to anybody when the named worker does not take it', async () => {
    await cluster.addNodes('w1', 'w2', 'w3');
    await cluster.clock.advance(5_000);
    const leader = cluster.leader()!.name;
    const to = names().find((name) => name !== leader)!;
    // Its lease lives on for a while.
    cluster.nodes.find(({ name }) => name === to)!.crash();
    const office = await during(handOver(context, { to }));
    const next = await during(waitForNextLeader(context, office.term, { timeoutMs: 10_000 }));
    expect(next.leader.name).not.toBe(to);
    await cluster.clock.advance(6_000);
    expect(cluster.etcd.get(cluster.keys.handover)).toBeNull();
  });

  it('is refused where nobody else could lead', async () => {
    await expect(during(handOver(context))).rejects.toMatchObject({
      code: 'ETCRON_CONFLICT',
      message: 'nobody leads now, so there is nothing to hand over',
    });
    await cluster.addNodes('w1');
    await cluster.clock.advance(5_000);
    await expect(during(handOver(context))).rejects.toMatchObject({
      message: 'nobody else can lead: "w1" is the only active worker',
    });
    await expect(during(handOver(context, { to: 'w1' }))).rejects.toMatchObject({
      message: '"w1" leads already',
    });
    await expect(during(handOver(context, { to: 'w9' }))).rejects.toMatchObject({
      code: 'ETCRON_WORKER_NOT_FOUND',
    });
    await cluster.addNodes('w2');
    await during(drainWorker(context, 'w2'));
    await cluster.clock.advance(1_000);
    await expect(during(handOver(context, { to: 'w2' }))).rejects.toMatchObject({ code: 'ETCRON_CONFLICT' });
  });

  it('goes on asking where nobody takes its resignation, and does not lead meanwhile', async () => {
    await cluster.addNodes('w1', 'w2');
    await cluster.clock.advance(5_000);
    const leader = cluster.leader()!;
    const untilMs = cluster.clock.now() + 20_000;
    leader.store.intercept = ({ method, args, phase }) => {
      const isResignation =
        method === 'txn' && JSON.stringify(args).includes(`"type":"delete","key":"${cluster.keys.leader}"`);
      if (isResignation && phase === 'request' && cluster.clock.now() < untilMs)
        throw unreachable('no answer', false);
    };
    const office = await during(handOver(context));
    await cluster.clock.advance(10_000);
    expect(cluster.leader()).toBeUndefined();
    const next = await during(waitForNextLeader(context, office.term, { timeoutMs: 30_000 }));
    expect(next.leader.name).toBe(other(leader.name));
    expect(cluster.clock.now() - untilMs).toBeLessThan(2_000);
  });

  const names = (): string[] => cluster.nodes.map(({ name }) => name);
});
