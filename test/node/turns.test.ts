/** How runs share room: queues, replacements, more than one run at once, and limits that jobs share. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatRunId } from '../../src/etcd/keys.js';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { MemoryCluster, type FakeProcess } from '../support/memory-cluster.js';

const START_MS = Date.UTC(2026, 0, 1, 12);

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = new MemoryCluster();
  await cluster.addNodes('a', 'b', 'c');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

/** The processes whose run ids begin with this, by their start. */
function ran(prefix: string): FakeProcess[] {
  return cluster.processes.filter(({ runId }) => runId.startsWith(`${prefix}/`));
}

/** Seconds after noon. */
const seconds = (ms: number): number => (ms - START_MS) / 1_000;
const dues = (prefix: string): number[] => ran(prefix).map(({ dueMs }) => seconds(dueMs));
const starts = (prefix: string): number[] => ran(prefix).map(({ startedAtMs }) => seconds(startedAtMs));

/** How many of these ran beside each other at most. */
function mostAtOnce(processes: readonly FakeProcess[]): number {
  const beside = (one: FakeProcess): number =>
    processes.filter(
      (other) => other.startedAtMs <= one.startedAtMs && (other.endedAtMs ?? Infinity) > one.startedAtMs,
    ).length;
  return Math.max(0, ...processes.map(beside));
}

const until = (second: number): Promise<void> => cluster.clock.advanceTo(START_MS + second * 1_000);
const runId = (job: string, second: number): string =>
  formatRunId({ job, dueMs: START_MS + second * 1_000, suffix: null });
const outcome = (job: string, second: number) => cluster.records(job).get(runId(job, second));

function slotKeys(): string[] {
  return cluster.etcd
    .range({ start: '/cron/slots', end: '/cron/slott' })
    .kvs.map(({ key }) => key.slice('/cron/'.length));
}

const setLimit = (name: string, size: number): Promise<void> =>
  cluster.putKey(cluster.keys.limit(name), JSON.stringify({ size }));

describe('overlap: queue', () => {
  it('runs due times one after another, oldest first, however late they are', async () => {
    await cluster.putJob('job', { schedule: '10-13 0 12 * * *', command: 'run 15000', overlap: 'queue' });
    await until(80);
    expect(dues('job')).toEqual([10, 11, 12, 13]);
    expect(starts('job')).toEqual([10, 25, 40, 55]);
    const records = [...cluster.records('job').values()];
    expect(records.map(({ outcome: one }) => one)).toEqual(Array(4).fill('succeeded'));
    expect(records.map(({ latenessMs }) => latenessMs)).toEqual([0, 14_000, 28_000, 42_000]);
    expect(slotKeys()).toEqual([]);
  });

  it('skips a due time that finds as many waiting as may wait', async () => {
    await cluster.putJob('job', {
      ...{ schedule: '10-14 0 12 * * *', command: 'run 15000' },
      overlap: { policy: 'queue', limit: 2 },
    });
    await until(80);
    expect(dues('job')).toEqual([10, 11, 12]);
    for (const second of [13, 14]) {
      expect(outcome('job', second)).toMatchObject({
        ...{ outcome: 'skipped', reason: 'overlap: 2 due times were waiting already' },
      });
    }
  });

  it('keeps its order when the worker dies that runs, when the leader does, and when all are gone', async () => {
    await cluster.putJob('job', { schedule: '10-13 0 12 * * *', command: 'run 15000', overlap: 'queue' });
    await until(14);
    cluster.nodes.find(({ name }) => name === ran('job')[0]!.node)!.crash();
    await until(30);
    cluster.leader()!.crash();
    await until(60);
    for (const node of [...cluster.nodes]) node.crash();
    await until(300);
    await cluster.addNodes('d', 'e');
    await until(420);
    const records = cluster.records('job');
    expect([10, 11, 12, 13].map((second) => records.get(runId('job', second))?.outcome)).toEqual(
      Array(4).fill('succeeded'),
    );
    const first = [10, 11, 12, 13].map((second) => ran('job').find((one) => seconds(one.dueMs) === second)!);
    expect(first.map(({ startedAtMs }) => startedAtMs)).toEqual(
      first.map(({ startedAtMs }) => startedAtMs).toSorted((a, b) => a - b),
    );
    expect(mostAtOnce(ran('job'))).toBe(1);
    expect(cluster.firings('job')).toEqual([]);
  });

  it('lets a retry go before what is due later', async () => {
    await cluster.putJob('job', {
      ...{ schedule: '10-12 0 12 * * *', command: 'run 4000 exit 1 until 2', overlap: 'queue' },
      retries: { attempts: 2, delay: '3s' },
    });
    await until(60);
    expect(dues('job')).toEqual([10, 11, 10, 11, 12, 12]);
    expect(starts('job')).toEqual([10, 14, 18, 22, 26, 33]);
  });

  it('leaves a record of what waited when the job is paused, and keeps it when only the times change', async () => {
    const job = { schedule: '10-12 0 12 * * *', command: 'run 15000', overlap: 'queue' };
    await cluster.putJob('job', job);
    await until(14);
    await cluster.putJob('job', { ...job, schedule: '10-11,40 0 12 * * *' });
    await until(16);
    expect(outcome('job', 12)).toMatchObject({ outcome: 'cancelled' });
    await until(30);
    expect(dues('job')).toEqual([10, 11]);
    await cluster.putJob('job', { ...job, paused: true });
    await until(80);
    expect(cluster.records('job').size).toBe(3);
    expect(cluster.firings('job')).toEqual([]);
  });
});

describe('maxConcurrent', () => {
  it('lets so many go on at once, and skips what comes beyond', async () => {
    await cluster.putJob('job', { schedule: '10-14 0 12 * * *', command: 'run 15000', maxConcurrent: 3 });
    await until(60);
    expect(dues('job')).toEqual([10, 11, 12]);
    const names = [10, 11, 12].map((second) => runId('job', second)).join(', ');
    expect(outcome('job', 13)).toMatchObject({
      ...{ outcome: 'skipped', reason: `overlap: ${names} was still running` },
    });
  });

  it('queues what comes beyond', async () => {
    await cluster.putJob('job', {
      ...{ schedule: '10-15 0 12 * * *', command: 'run 15000', maxConcurrent: 2, overlap: 'queue' },
    });
    await until(90);
    expect(dues('job')).toEqual([10, 11, 12, 13, 14, 15]);
    expect(starts('job')).toEqual([10, 11, 25, 26, 40, 41]);
    expect(mostAtOnce(ran('job'))).toBe(2);
  });

  it('starts none while more run than a lowered bound allows', async () => {
    const job = { schedule: '10-30 0 12 * * *', command: 'run 8000' };
    await cluster.putJob('job', { ...job, maxConcurrent: 3 });
    await until(12.6);
    await cluster.putJob('job', { ...job, maxConcurrent: 1 });
    await until(40);
    expect(starts('job')).toEqual([10, 11, 12, 20, 28]);
    const late = ran('job').filter((one) => one.startedAtMs > START_MS + 13_000);
    for (const one of late) {
      const beside = ran('job').filter(
        (other) => other.startedAtMs < one.startedAtMs && other.endedAtMs! > one.startedAtMs,
      );
      expect(beside).toEqual([]);
    }
  });
});

describe('overlap: replace', () => {
  it('ends the running run, and starts when it is gone', async () => {
    await cluster.putJob('job', { schedule: '10,14 0 12 * * *', command: 'run 20000', overlap: 'replace' });
    await until(60);
    expect(outcome('job', 10)).toMatchObject({
      ...{ outcome: 'killed', reason: `replaced by ${runId('job', 14)}`, durationMs: 4_000 },
    });
    expect(outcome('job', 14)).toMatchObject({ outcome: 'succeeded' });
    expect(mostAtOnce(ran('job'))).toBe(1);
    expect(starts('job')[1]! - 14).toBeLessThan(0.2);
  });

  it('ends the oldest of several', async () => {
    await cluster.putJob('job', {
      ...{ schedule: '10-13 0 12 * * *', command: 'run 20000', overlap: 'replace', maxConcurrent: 2 },
    });
    await until(60);
    expect([10, 11, 12, 13].map((second) => outcome('job', second)?.outcome)).toEqual([
      ...['killed', 'killed', 'succeeded', 'succeeded'],
    ]);
    expect(mostAtOnce(ran('job'))).toBe(2);
  });

  it('goes on when the worker of the old run is dead, which is not run again', async () => {
    await cluster.putJob('job', { schedule: '10,14 0 12 * * *', command: 'run 20000', overlap: 'replace' });
    await until(12);
    const old = cluster.nodes.find(({ name }) => name === ran('job')[0]!.node)!;
    old.crash();
    await until(120);
    expect(outcome('job', 10)).toMatchObject({
      ...{ outcome: 'killed', reason: `replaced by ${runId('job', 14)}` },
    });
    expect(outcome('job', 14)).toMatchObject({ outcome: 'succeeded' });
    expect(dues('job')).toEqual([10, 14]);
    expect(cluster.firings('job')).toEqual([]);
  });

  it('lets only the newest wait', async () => {
    await setLimit('db', 1);
    await cluster.putJob('other', { schedule: '5 0 12 * * *', command: 'run 20000', limits: ['db'] });
    await cluster.putJob('job', { schedule: '10-13 0 12 * * *', overlap: 'replace', limits: ['db'] });
    await until(60);
    for (const second of [10, 11, 12]) {
      expect(outcome('job', second)).toMatchObject({
        ...{ outcome: 'skipped', reason: `replaced by ${runId('job', second + 1)} before it began` },
      });
    }
    expect(starts('job')).toEqual([25]);
    expect(outcome('job', 13)).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('limits', () => {
  it('are shared by jobs; who finds one full waits, the oldest first, also beyond what a misfire is', async () => {
    await setLimit('db', 2);
    for (const [index, job] of ['u', 'v', 'w', 'x'].entries())
      await cluster.putJob(job, {
        schedule: `${10 + index} 0 12 * * *`,
        command: 'run 30000',
        limits: ['db'],
      });
    await until(80);
    expect(['u', 'v', 'w', 'x'].map((job) => starts(job))).toEqual([[10], [11], [40], [41]]);
    expect(slotKeys().map((key) => key.split('/')[0])).toEqual([]);
  });

  it('hold back a job under two of them until both are free, and meanwhile nobody who is under one', async () => {
    await setLimit('db', 1);
    await setLimit('gpu', 1);
    await cluster.putJob('d', { schedule: '10 0 12 * * *', command: 'run 5000', limits: ['db'] });
    await cluster.putJob('g', { schedule: '10 0 12 * * *', command: 'run 8000', limits: ['gpu'] });
    await cluster.putJob('both', { schedule: '11 0 12 * * *', command: 'run 5000', limits: ['gpu', 'db'] });
    await cluster.putJob('later', { schedule: '12 0 12 * * *', command: 'run 5000', limits: ['db'] });
    await until(60);
    expect(starts('later')).toEqual([15]);
    expect(starts('both')).toEqual([20]);
  });

  it('hold up only those who are under one that is always full', async () => {
    await setLimit('db', 1);
    await setLimit('gpu', 1);
    const often = { schedule: '*/5 * * * * *', command: 'run 8000', overlap: 'queue', limits: ['gpu', 'db'] };
    await cluster.putJob('crowd', often);
    await cluster.putJob('crowd-2', often);
    await cluster.putJob('gpu-only', { ...often, limits: ['gpu'] });
    await cluster.putJob('db-only', { schedule: '10 * * * * *', command: 'run 100', limits: ['db'] });
    await until(200);
    // Hundreds of seconds of work wait for the other limit by then.
    const lateByS = ran('db-only').map(({ dueMs, startedAtMs }) => (startedAtMs - dueMs) / 1_000);
    expect(lateByS).toHaveLength(4);
    expect(Math.max(...lateByS)).toBeLessThan(30);
  });

  it('let nothing run without a size, until they have one', async () => {
    await cluster.putJob('job', { schedule: '10 0 12 * * *', limits: ['db'] });
    await until(100);
    expect(ran('job')).toEqual([]);
    expect(cluster.firings('job')).toEqual([runId('job', 10)]);
    await cluster.putKey(cluster.keys.limit('db'), 'not a size');
    await until(110);
    expect(ran('job')).toEqual([]);
    await cluster.putKey(cluster.keys.limit('db'), '1');
    await until(120);
    expect(starts('job')).toEqual([110]);
  });

  it('let no new run begin while more go on than a lowered size', async () => {
    await setLimit('db', 3);
    for (const [index, job] of ['u', 'v', 'w', 'x'].entries())
      await cluster.putJob(job, {
        ...{ schedule: `${10 + index} 0 12 * * *`, command: `run ${(index + 1) * 10_000}`, limits: ['db'] },
      });
    await until(12.6);
    await setLimit('db', 1);
    await until(120);
    // Those at :10, :11 and :12 go on until :20, :31 and :42.
    expect(starts('x')).toEqual([42]);
  });

  it('are given back by a worker that dies, and by one that is stopped', async () => {
    await setLimit('db', 1);
    await cluster.putJob('old', {
      ...{ schedule: '10 0 12 * * *', command: 'run 60000', limits: ['db'] },
      recovery: 'abandon',
    });
    await cluster.putJob('new', { schedule: '11 0 12 * * *', command: 'run 9000', limits: ['db'] });
    await until(15);
    cluster.nodes.find(({ name }) => name === ran('old')[0]!.node)!.crash();
    await until(60);
    expect(outcome('old', 10)).toMatchObject({ outcome: 'lost' });
    expect(outcome('new', 11)).toMatchObject({ outcome: 'succeeded' });
    expect(slotKeys()).toEqual([]);
  });

  it('do not make a skipping job pile up: no more of it wait than may run', async () => {
    await setLimit('db', 1);
    await cluster.putJob('other', { schedule: '5 0 12 * * *', command: 'run 20000', limits: ['db'] });
    await cluster.putJob('job', { schedule: '10-13 0 12 * * *', limits: ['db'] });
    await until(60);
    expect(starts('job')).toEqual([25]);
    for (const second of [11, 12, 13]) {
      expect(outcome('job', second)).toMatchObject({
        ...{ outcome: 'skipped', reason: `overlap: ${runId('job', 10)} was still waiting` },
      });
    }
  });

  it('bound how many of a job that allows overlap wait', async () => {
    await setLimit('db', 0);
    await cluster.putJob('job', { schedule: '* * 12 * * *', overlap: 'allow', limits: ['db'] });
    await until(150);
    const records = [...cluster.records('job').values()];
    expect(new Set(records.map(({ reason }) => reason))).toEqual(
      new Set(['overlap: 100 due times were waiting already']),
    );
    expect(cluster.firings('job').length - 100).toBeLessThanOrEqual(16);
    await setLimit('db', 50);
    await until(160);
    expect(ran('job').length).toBeGreaterThanOrEqual(100);
  });

  it('count once where a job names one twice', async () => {
    await setLimit('db', 1);
    await cluster.putJob('job', { schedule: '10 0 12 * * *', limits: ['db', 'db'] });
    await until(30);
    expect(outcome('job', 10)).toMatchObject({ outcome: 'succeeded', latenessMs: 0 });
    expect(slotKeys()).toEqual([]);
  });

  it('do not keep a slot that somebody put there by hand', async () => {
    await setLimit('db', 1);
    await cluster.putKey(cluster.keys.limitSlot('db', 0), 'nobody');
    await cluster.putJob('job', { schedule: '10 0 12 * * *', limits: ['db'] });
    await until(30);
    expect(outcome('job', 10)).toMatchObject({ outcome: 'succeeded' });
  });

  it('are not kept for one for whom no worker has room', async () => {
    await setLimit('db', 1);
    await cluster.putJob('other', { schedule: '5 0 12 * * *', command: 'run 10000', limits: ['db'] });
    await cluster.putJob('heavy', { schedule: '8 0 12 * * *', limits: ['db'], weight: 20 });
    await cluster.putJob('light', { schedule: '9 0 12 * * *', command: 'run 1000', limits: ['db'] });
    for (const filler of ['x', 'y', 'z'])
      await cluster.putJob(filler, {
        ...{ schedule: '12 0 12 * * *', command: 'run 18000', weight: NODE_DEFAULTS.capacity - 10 },
      });
    await until(40);
    expect(ran('x').concat(ran('y'), ran('z'))).toHaveLength(3);
    expect(Math.floor(starts('light')[0]!)).toBe(15);
    expect(Math.floor(starts('heavy')[0]!)).toBe(30);
  });
});

it('ends what waits at once when it is killed', async () => {
  await cluster.putJob('job', { schedule: '10-11 0 12 * * *', command: 'run 30000', overlap: 'queue' });
  await until(15);
  await cluster.putKey(
    cluster.keys.kills + runId('job', 11),
    JSON.stringify({ by: 'me', reason: 'enough', at: new Date(START_MS).toISOString() }),
  );
  await until(16);
  expect(outcome('job', 11)).toMatchObject({ outcome: 'killed', reason: 'by me: enough', attempts: 0 });
  await until(60);
  expect(dues('job')).toEqual([10]);
});
