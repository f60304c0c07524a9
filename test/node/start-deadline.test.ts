import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/history/run-record.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const SECONDLY = '* * * * * *';

let cluster: MemoryCluster;

beforeEach(() => {
  cluster = new MemoryCluster({ node: { capacity: 1 } });
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

function latest(job: string): number {
  const ofJob = cluster.processes.filter(
    ({ runId, attempt }) => runId.startsWith(`${job}/`) && attempt === 1,
  );
  return Math.max(-Infinity, ...ofJob.map(({ startedAtMs, dueMs }) => startedAtMs - dueMs));
}

function missed(job: string): RunRecord[] {
  return [...cluster.records(job).values()].filter(({ outcome }) => outcome === 'missed');
}

const reasons = (job: string): Set<string | null> => new Set(missed(job).map(({ reason }) => reason));

describe('startDeadline', () => {
  it.each(['once', 'all', 'skip'])(
    'with misfire: %s, runs nothing that is older after an outage',
    async (misfire) => {
      await cluster.addNodes('a', 'b');
      await cluster.putJob('job', { schedule: SECONDLY, overlap: 'allow', misfire, startDeadline: '20s' });
      await cluster.clock.advance(5_500);
      const fromMs = cluster.clock.now();
      for (const node of [...cluster.nodes]) node.crash();
      await cluster.clock.advance(90_000);
      await cluster.addNodes('c', 'd');
      await cluster.clock.advance(60_000);
      expect(cluster.accounting('job', SECONDLY, fromMs, cluster.clock.now() - 2_000)).toEqual([]);
      expect(latest('job')).toBeLessThanOrEqual(20_000);
      if (misfire !== 'skip') expect(latest('job')).toBeGreaterThan(10_000);
      const late = missed('job').filter(({ reason }) => reason!.includes('startDeadline'));
      expect(late.length).toBeGreaterThan(0);
      expect(late.reduce((sum, record) => sum + record.missed!.count, 0)).toBeGreaterThan(60);
    },
  );

  it('shorter than the time after which a run is a misfire, holds as well', async () => {
    await cluster.addNodes('a');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 30000' });
    await cluster.putJob('job', {
      schedule: SECONDLY,
      overlap: 'allow',
      misfire: 'all',
      startDeadline: '3s',
    });
    const fromMs = cluster.clock.now();
    await cluster.clock.advance(170_500);
    expect(cluster.accounting('job', SECONDLY, fromMs + 1_000, cluster.clock.now() - 8_000)).toEqual([]);
    expect(latest('job')).toBeLessThanOrEqual(3_000);
    expect(reasons('job')).toContain('not started within 3s (startDeadline): no worker had room');
    expect(missed('job').reduce((sum, record) => sum + record.missed!.count, 0)).toBeGreaterThan(40);
    // Nobody claims only to find that it is too late.
    expect([...reasons('job')].join('\n')).not.toContain('its worker came to it');
  });

  it('counts from the delayed start where there is a jitter', async () => {
    await cluster.addNodes('a', 'b');
    const job = { schedule: '*/20 * * * * *', jitter: '15s', startDeadline: '1s' };
    await cluster.putJob('job', job);
    const fromMs = cluster.clock.now();
    await cluster.clock.advance(300_000);
    expect(cluster.accounting('job', job.schedule, fromMs, cluster.clock.now() - 40_000)).toEqual([]);
    expect(missed('job')).toEqual([]);
    expect(latest('job')).toBeGreaterThan(5_000);
  });

  it('holds for a late run that waits for a slot, and says what it waited for', async () => {
    cluster = new MemoryCluster();
    await cluster.addNodes('a');
    const job = { schedule: SECONDLY, command: 'run 7000', misfire: 'all', startDeadline: '30s' };
    await cluster.putJob('job', job);
    await cluster.clock.advance(1_500);
    const fromMs = cluster.clock.now();
    for (const node of [...cluster.nodes]) node.crash();
    await cluster.clock.advance(25_000);
    await cluster.addNodes('b');
    await cluster.clock.advance(60_000);
    expect(cluster.accounting('job', SECONDLY, fromMs, cluster.clock.now() - 2_000)).toEqual([]);
    expect(latest('job')).toBeLessThanOrEqual(30_000);
    expect([...reasons('job')].join('\n')).toMatch(/within 30s \(startDeadline\): job\/\S+ still went on/);
  });

  it('holds for what waits in a queue, or for a limit', async () => {
    cluster = new MemoryCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putKey(cluster.keys.limit('db'), '{"size":1}');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 40000', limits: ['db'] });
    const schedule = '*/10 * * * * *';
    await cluster.putJob('limited', { schedule, limits: ['db'], startDeadline: '5s' });
    await cluster.putJob('queue', { schedule, command: 'run 25000', overlap: 'queue', startDeadline: '18s' });
    const fromMs = cluster.clock.now();
    await cluster.clock.advance(180_000);
    for (const job of ['limited', 'queue']) {
      expect(cluster.accounting(job, schedule, fromMs + 1_000, cluster.clock.now() - 30_000)).toEqual([]);
      expect(latest(job)).toBeLessThanOrEqual(job === 'queue' ? 18_000 : 5_000);
    }
    expect(reasons('limited')).toContain('not started within 5s (startDeadline): the limit db of 1 was full');
    expect([...reasons('queue')].join()).toMatch(/within 18s \(startDeadline\): queue\/\S+ still went on/);
    expect(latest('queue')).toBeGreaterThan(10_000);
  });

  it('says that no worker fits', async () => {
    await cluster.addNodes('a');
    const job = { schedule: '*/10 * * * * *', target: { with: { disk: 'ssd' } }, startDeadline: '2s' };
    await cluster.putJob('job', job);
    await cluster.clock.advance(60_000);
    expect(reasons('job')).toEqual(
      new Set(['not started within 2s (startDeadline): a worker has no label disk=ssd']),
    );
  });

  it('is no matter of later attempts, nor of runs by hand', async () => {
    await cluster.addNodes('a');
    await cluster.putJob('job', {
      schedule: '0 * * * * *',
      command: 'run 100 exit 1',
      retries: { attempts: 2, delay: '20s' },
      startDeadline: '1s',
    });
    await cluster.clock.advance(59_000);
    const id = { job: 'job', dueMs: cluster.clock.now() - 50_000, suffix: 'manual-1' };
    await cluster.putKey(
      cluster.keys.firing(id),
      JSON.stringify({ origin: 'manual', fingerprint: '', attempt: 0 }),
    );
    await cluster.clock.advance(50_000);
    expect(cluster.processes.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
    expect(missed('job')).toEqual([]);
  });
});
