import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.js';

const MINUTE = 60_000;

let cluster: MemoryCluster;
let startMs: number;

beforeEach(async () => {
  cluster = new MemoryCluster();
  startMs = cluster.clock.now();
  await cluster.addNodes('a', 'b');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

const at = (ms: number): string => new Date(ms).toISOString();
const exists = (job: string): boolean => cluster.etcd.get(cluster.keys.job(job)) !== null;

/** Advances until the job is gone, for at most `limitMs`; how long after the start it went, in whole minutes. */
async function goneAfter(job: string, limitMs: number): Promise<number | null> {
  while (exists(job) && cluster.clock.now() < startMs + limitMs) await cluster.clock.advance(1_000);
  return exists(job) ? null : Math.floor((cluster.clock.now() - startMs) / MINUTE);
}

describe('removeAfter', () => {
  it('removes a job that was due once, with its mark, and keeps its history', async () => {
    await cluster.putJob('job', { schedule: `@at ${at(startMs + 2 * MINUTE)}`, removeAfter: '5m' });
    await cluster.putKey(cluster.keys.setOf('job'), '{"set":"team"}');
    await cluster.putJob('other', { schedule: '* * * * *', removeAfter: '1m' });
    expect(await goneAfter('job', 60 * MINUTE)).toBe(7);
    expect(cluster.etcd.get(cluster.keys.setOf('job'))).toBeNull();
    expect([...cluster.records('job').values()].map(({ outcome }) => outcome)).toEqual(['succeeded']);
    expect(exists('other')).toBe(true);
  });

  it('counts from the end of the last run, however long it takes', async () => {
    const command = `run ${8 * MINUTE}`;
    await cluster.putJob('job', { schedule: `@at ${at(startMs + MINUTE)}`, removeAfter: '3m', command });
    expect(await goneAfter('job', 60 * MINUTE)).toBe(12);
    expect([...cluster.records('job').values()].map(({ outcome }) => outcome)).toEqual(['succeeded']);
  });

  it('removes what is over by endAt, and what has had all its runs, with its count', async () => {
    await cluster.putJob('until', {
      schedule: '* * * * *',
      endAt: at(startMs + 3 * MINUTE),
      removeAfter: '0s',
    });
    await cluster.putJob('counted', { schedule: '* * * * *', maxRuns: 5, removeAfter: '2m' });
    expect(await goneAfter('until', 60 * MINUTE)).toBe(3);
    expect(cluster.records('until').size).toBe(3);
    expect(await goneAfter('counted', 60 * MINUTE)).toBe(7);
    expect(cluster.records('counted').size).toBe(5);
    expect(cluster.etcd.get(cluster.keys.count('counted'))).toBeNull();
  });

  it('leaves alone what only waits', async () => {
    const over = `@at ${at(startMs - MINUTE)}`;
    const later = at(startMs + 400 * MINUTE);
    await cluster.putJob('paused', { schedule: over, removeAfter: '0s', paused: true });
    await cluster.putJob('paused-until', { schedule: over, removeAfter: '0s', paused: { until: later } });
    await cluster.putJob('starts', { schedule: '* * * * *', startAt: later, removeAfter: '0s' });
    await cluster.putJob('once', { schedule: `@at ${later}`, removeAfter: '0s' });
    await cluster.putJob('broken', { schedule: 'nonsense', removeAfter: '0s' });
    await cluster.putJob('stays', { schedule: over });
    await cluster.putJob('gone', { schedule: over, removeAfter: '0s' });
    await cluster.clock.advance(30 * MINUTE);
    const left = ['paused', 'paused-until', 'starts', 'once', 'broken', 'stays', 'gone'].filter(exists);
    expect(left).toEqual(['paused', 'paused-until', 'starts', 'once', 'broken', 'stays']);
    await cluster.putJob('paused', { schedule: over, removeAfter: '0s' });
    await cluster.clock.advance(MINUTE);
    expect(exists('paused')).toBe(false);
  });

  it('waits for a last due time that nobody was there to run', async () => {
    const job = { schedule: `@at ${at(startMs + MINUTE)}`, removeAfter: '0s', misfire: 'once' };
    await cluster.putJob('job', job);
    await cluster.clock.advance(10_000);
    for (const node of [...cluster.nodes]) node.crash();
    await cluster.clock.advance(10 * MINUTE);
    await cluster.addNodes('c', 'd');
    await cluster.clock.advance(MINUTE);
    expect([...cluster.records('job').values()].map(({ outcome }) => outcome)).toEqual(['succeeded']);
    expect(exists('job')).toBe(false);
  });

  it('waits for runs by hand, and counts from their end as well', async () => {
    await cluster.putJob('job', {
      schedule: `@at ${at(startMs + MINUTE)}`,
      removeAfter: '10m',
      command: `run ${9 * MINUTE}`,
    });
    await cluster.clock.advance(9 * MINUTE);
    const id = { job: 'job', dueMs: cluster.clock.now(), suffix: 'manual-1' };
    const manual = { origin: 'manual', fingerprint: '', attempt: 0, misfire: true };
    await cluster.putKey(cluster.keys.firing(id), JSON.stringify(manual));
    // The first run ends after 10 minutes, the second one after 19.
    expect(await goneAfter('job', 60 * MINUTE)).toBe(29);
    expect(cluster.records('job').size).toBe(2);
  });

  it('gives a job that was edited in time another chance', async () => {
    await cluster.putJob('job', { schedule: `@at ${at(startMs + MINUTE)}`, removeAfter: '5m' });
    await cluster.clock.advance(5 * MINUTE);
    await cluster.putJob('job', { schedule: `@at ${at(startMs + 10 * MINUTE)}`, removeAfter: '5m' });
    expect(await goneAfter('job', 60 * MINUTE)).toBe(15);
  });
});
