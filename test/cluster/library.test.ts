/** Nodes of the library in one process, on a real etcd. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/etcd/connect.js';
import { resolveConnectionOptions } from '../../src/etcd/connection-options.js';
import { Keys } from '../../src/etcd/keys.js';
import { prefixRange, singleKey, type Store } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { decodeRun, type RunRecord } from '../../src/history/run-record.js';
import {
  createNode,
  defineHandler,
  defineJob,
  type CreateNodeOptions,
  type EtcronNode,
} from '../../src/index.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let store: Store;
let keys: Keys;
let prefixes = 0;
const nodes: EtcronNode[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  store = await connect(await resolveConnectionOptions({ flags: { endpoints: etcd.endpoint }, env: {} }));
});

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop({ graceMs: 0 })));
});

afterAll(async () => {
  await store.close();
  await etcd.stop();
});

/** A prefix of its own for each test. */
function begin(): Keys {
  prefixes += 1;
  return (keys = new Keys(`/library-${prefixes}`));
}

function node(name: string, options: CreateNodeOptions = {}): EtcronNode {
  const made = createNode({
    ...{ name, etcd: { endpoints: etcd.endpoint }, prefix: `/library-${prefixes}`, log: 'silent' },
    // What it ends are processes, of which these have none; leases are given back by the stop.
    ...{ watchdog: false, killGrace: '1s' },
    ...options,
  });
  nodes.push(made);
  return made;
}

async function records(job: string): Promise<Map<string, RunRecord>> {
  const { kvs } = await store.range(keys.runsOf(job));
  return new Map(
    kvs.map((kv) => {
      const record = decodeRun(kv);
      if (!record.ok) throw new Error(record.problem);
      return [kv.key.slice(keys.runs.length), record.value];
    }),
  );
}

async function count(prefix: string): Promise<number> {
  return (await store.range(prefixRange(prefix), { countOnly: true })).count;
}

describe('nodes of the library', () => {
  it('share the due times of a job, go on when the leader stops, and leave nothing behind', async () => {
    begin();
    const calls: string[] = [];
    const events: string[] = [];
    const tick = defineJob({
      name: 'tick',
      schedule: '@every 1s',
      overlap: 'allow',
      payload: z.object({ text: z.string() }),
      data: { text: 'tick' },
      handler: (run) => {
        calls.push(run.runId);
        return { text: run.payload.text, token: Number(run.fencingToken) };
      },
    });
    const [a, b] = [node('a', { jobs: [tick] }), node('b', { jobs: [tick] })];
    for (const one of [a, b]) {
      one.on('ready', () => events.push(`${one.name} ready`));
      one.on('runEnded', ({ outcome }) => events.push(outcome));
    }
    // At the same moment: one of them finds the job written.
    await Promise.all([a.start(), b.start()]);
    expect(events.sort()).toEqual(['a ready', 'b ready']);
    await waitUntil(() => calls.length >= 3, { what: 'three runs' });
    const [leader, follower] = a.isLeader ? [a, b] : [b, a];
    expect([leader.isLeader, follower.isLeader]).toEqual([true, false]);
    await leader.stop();
    const before = calls.length;
    await waitUntil(() => follower.isLeader && calls.length >= before + 3, {
      what: 'three runs of the other',
    });
    await follower.stop();
    expect(new Set(calls).size).toBe(calls.length);
    const ended = await records('tick');
    const due = [...ended.keys()]
      .map((runId) => Date.parse(runId.slice('tick/'.length)))
      .sort((x, y) => x - y);
    // Every second from the first to the last one has its record.
    expect(due.at(-1)! - due[0]!).toBe((due.length - 1) * 1_000);
    expect(new Set([...ended.values()].map(({ outcome }) => outcome))).toEqual(new Set(['succeeded']));
    expect(JSON.parse([...ended.values()][0]!.stdout!.text)).toMatchObject({ text: 'tick' });
    expect(events).toContain('succeeded');
    for (const prefix of [keys.workers, keys.locks, keys.slots]) expect(await count(prefix)).toBe(0);
    expect(await count(keys.leader)).toBe(0);
  });

  it('lets a handler finish within the grace of a stop, and hands over one that takes longer', async () => {
    begin();
    const told: string[] = [];
    const handlers = (name: string): CreateNodeOptions => ({
      handlers: {
        slow: defineHandler({
          payload: z.object({ ms: z.number() }),
          handler: async (run) => {
            told.push(`${name} ${run.job} ${run.attempt}`);
            await run.sleep(name === 'a' ? run.payload.ms : 10);
          },
        }),
      },
    });
    const short = { name: 'short', schedule: '0 0 1 1 *', handler: 'slow', payload: { ms: 1_000 } };
    const long = { ...short, name: 'long', payload: { ms: 600_000 } };
    const a = node('a', { ...handlers('a'), jobs: [short, long] });
    await a.start();
    const ids = [await a.run('short'), await a.run('long')];
    await waitUntil(() => a.runs().length === 2, { what: 'both runs' });
    expect(a.runs().map(({ runId }) => runId)).toEqual(expect.arrayContaining(ids));
    await node('b', handlers('b')).start();
    await a.stop({ graceMs: 2_000 });
    const ended = await waitUntil(
      async () => {
        const all = new Map([...(await records('short')), ...(await records('long'))]);
        return all.size === 2 ? all : undefined;
      },
      { what: 'both records' },
    );
    expect(ended.get(ids[0]!)).toMatchObject({ outcome: 'succeeded', worker: 'a', attempts: 1 });
    expect(ended.get(ids[1]!)).toMatchObject({ outcome: 'succeeded', worker: 'b', attempts: 2 });
    expect(told.sort()).toEqual(['a long 1', 'a short 1', 'b long 2']);
  });

  it('sync their jobs as apply does: differences only, pruned by their own mark, nobody else’s taken', async () => {
    begin();
    const job = (name: string, schedule: string) => defineJob({ name, schedule, handler: () => undefined });
    const [daily, weekly] = [job('one', '@daily'), job('two', '@weekly')];
    await node('a', { jobs: [daily, weekly] }).start();
    const revisionOf = async (name: string): Promise<number> =>
      (await store.range(singleKey(keys.job(name)))).kvs[0]?.modRevision ?? 0;
    const first = await revisionOf('one');
    const mark = (await store.range(singleKey(keys.setOf('one')))).kvs[0]!;
    expect(JSON.parse(mark.value.toString())).toEqual({ set: 'code:default' });

    await node('b', { jobs: [daily, job('two', '@monthly')] }).start();
    expect(await revisionOf('one')).toBe(first);
    expect(await revisionOf('two')).toBeGreaterThan(first);

    // Another set of code neither prunes what it does not manage, nor takes over without being told to.
    await node('c', { jobs: [job('three', '@daily')], sync: { set: 'other', prune: true } }).start();
    expect(await count(keys.jobs)).toBe(3);
    await expect(node('d', { jobs: [daily], sync: { set: 'other' } }).start()).rejects.toMatchObject({
      code: 'ETCRON_SET_CONFLICT',
    });
    await node('e', { jobs: [daily], sync: { prune: true } }).start();
    expect(await revisionOf('two')).toBe(0);
    expect(await count(keys.jobs)).toBe(2);
    await node('f', { jobs: [weekly], sync: false }).start();
    expect(await revisionOf('two')).toBe(0);
  });

  it('goes on under a new lease when the old one is gone', async () => {
    begin();
    const events: string[] = [];
    const a = node('a', { handlers: { h: () => 'done' } });
    a.on('lost', ({ nodeId }) => events.push(`lost ${nodeId}`));
    a.on('ready', ({ nodeId }) => events.push(`ready ${nodeId}`));
    await a.start();
    const first = a.nodeId!;
    const [kv] = (await store.range(singleKey(keys.worker(first)))).kvs;
    expect(JSON.parse(kv!.value.toString())).toMatchObject({ handlers: ['h'] });
    await store.leaseRevoke(kv!.leaseId!);
    await waitUntil(() => events.length === 3, { what: 'the second life' });
    expect(events).toEqual([`ready ${first}`, `lost ${first}`, `ready ${a.nodeId}`]);
    expect(a.nodeId).not.toBe(first);
    await store.txn({
      compare: [],
      success: [put(keys.job('j'), JSON.stringify({ schedule: '@yearly', handler: 'h' }))],
    });
    await a.run('j');
    await waitUntil(async () => (await records('j')).size === 1, { what: 'the record' });
    await expect(a.run('none')).rejects.toMatchObject({ code: 'ETCRON_JOB_NOT_FOUND' });
  });
});
