/** What the metrics of whole nodes say, against what is known from outside: etcd's records, and the processes that ran. */
import { afterEach, describe, expect, it } from 'vitest';
import { METRICS, type MetricDefinition, type MetricKey } from '../../src/telemetry/metrics/definitions.js';
import { WorkerMetrics } from '../../src/telemetry/metrics/worker-metrics.js';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

let cluster: MemoryCluster;
let metrics: Map<string, WorkerMetrics>;

afterEach(async () => {
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

async function start(names: string[], options: Partial<MemoryClusterOptions> = {}): Promise<void> {
  metrics = new Map();
  cluster = new MemoryCluster({
    ...options,
    metrics: (name) => {
      const made = new WorkerMetrics({ version: '1.2.3', worker: name });
      metrics.set(name, made);
      return made;
    },
  });
  await cluster.addNodes(...names);
}

type Labels = Readonly<Record<string, string>>;

/** The sum of the series that have these labels, over all nodes or on one; undefined where there is none. */
async function read(key: MetricKey, labels: Labels = {}, node?: string): Promise<number | undefined> {
  let sum: number | undefined;
  for (const [name, one] of metrics) {
    if (node !== undefined && node !== name) continue;
    await one.text();
    const { values } = await one.get(key).get();
    for (const value of values) {
      const { metricName } = value as { metricName?: string };
      if (metricName !== undefined && !metricName.endsWith('_count')) continue;
      const has = Object.entries(labels).every(
        ([label, wanted]) => (value.labels as Labels)[label] === wanted,
      );
      if (has) sum = (sum ?? 0) + value.value;
    }
  }
  return sum;
}

describe('runs', () => {
  it('are counted once in the cluster, by outcome, whoever wrote their record', async () => {
    await start(['a', 'b', 'c']);
    await cluster.putJob('good', { schedule: '*/2 * * * * *' });
    await cluster.putJob('bad', { schedule: '*/5 * * * * *', command: 'run 10 exit 1' });
    await cluster.putJob('slow', { schedule: '*/3 * * * * *', command: 'run 5000', overlap: 'skip' });
    await cluster.clock.advance(60_500);
    const outcomes = [...cluster.records().values()].map(({ outcome }) => outcome);
    for (const outcome of ['succeeded', 'failed', 'skipped'] as const) {
      const expected = outcomes.filter((one) => one === outcome).length;
      expect(expected).toBeGreaterThan(5);
      expect(await read('runs', { outcome })).toBe(expected);
    }
    expect(await read('runs')).toBe(outcomes.length);
    expect(await read('attempts', { outcome: 'failed', next: 'recorded' })).toBe(
      await read('runs', { outcome: 'failed' }),
    );
    expect(await read('lateness', { start: 'on_schedule' })).toBe(cluster.processes.length);
    expect(await read('claims', { result: 'won' })).toBe(cluster.processes.length);
    expect(await read('duration')).toBe(await read('attempts'));
  });

  it('tell why they started when they did', async () => {
    await start(['a']);
    await cluster.putJob('queued', { schedule: '*/10 * * * * *', command: 'run 12000', overlap: 'queue' });
    await cluster.putJob('retried', {
      ...{ schedule: '0 * * * * *', command: 'run 10 exit 1 until 2' },
      retries: { attempts: 2, delay: '1s' },
    });
    await cluster.clock.advance(65_000);
    expect(await read('lateness', { start: 'retry' })).toBe(1);
    expect(await read('attempts', { outcome: 'failed', next: 'retry' })).toBe(1);
    expect(await read('lateness', { start: 'queued' })).toBeGreaterThan(2);
  });

  it('that were missed count as due times, too', async () => {
    await start(['a']);
    await cluster.putJob('job', { schedule: '*/10 * * * * *', misfire: 'skip' });
    await cluster.clock.advance(30_000);
    cluster.nodes[0]!.crash();
    await cluster.clock.advance(300_000);
    metrics.clear();
    await cluster.addNodes('b');
    await cluster.clock.advance(30_000);
    const missed = [...cluster.records('job').values()].filter(({ outcome }) => outcome === 'missed');
    const dueTimes = missed.reduce((sum, record) => sum + record.missed!.count, 0);
    expect(dueTimes).toBeGreaterThan(25);
    expect(await read('runs', { outcome: 'missed' })).toBe(missed.length);
    expect(await read('missedDueTimes')).toBe(dueTimes);
  });
});

describe('claims', () => {
  it('that were lost are counted by what they were lost against', async () => {
    // Nobody waits for the first in order.
    await start(['a', 'b'], { node: { staggerMs: 0 }, store: () => ({ watchDelayMs: () => 50 }) });
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await cluster.clock.advance(30_000);
    expect(await read('claims', { result: 'won' })).toBeGreaterThanOrEqual(cluster.processes.length);
    expect(await read('claims', { result: 'held' })).toBeGreaterThan(0);
  });
});

describe('the leader', () => {
  it('says how the cluster is, and nobody else does', async () => {
    await start(['a', 'b', 'c']);
    await cluster.putJob('job', { schedule: '*/5 * * * * *', command: 'run 20000', overlap: 'allow' });
    await cluster.putJob('nowhere', { schedule: '*/5 * * * * *', target: { with: { gpu: 'yes' } } });
    await cluster.putJob('broken', 'schedule: never');
    await cluster.clock.advance(31_000);
    const leader = cluster.leader()!.name;
    expect(await read('isLeader')).toBe(1);
    expect(await read('isLeader', {}, leader)).toBe(1);
    for (const [name] of metrics) {
      const expected = name === leader ? 1 : undefined;
      expect(await read('unplaceableJobs', {}, name)).toBe(expected);
      expect(await read('brokenJobs', {}, name)).toBe(1);
      expect(await read('jobs', {}, name)).toBe(3);
      // Planned in strides of 2 s, 15 s ahead.
      const ahead = (await read('plannedAhead', {}, name))!;
      expect(ahead).toBeGreaterThan(12);
      expect(ahead).toBeLessThanOrEqual(15);
    }
    expect(await read('workers', { state: 'active' })).toBe(3);
    expect(await read('firings', { state: 'in_flight' })).toBeGreaterThanOrEqual(4);
    expect(await read('firings', { state: 'planned' })).toBeGreaterThanOrEqual(2);
    // Due, and nobody may take them.
    expect(await read('firings', { state: 'late' })).toBeGreaterThan(0);
    expect(await read('unplaceableFirings')).toBe(cluster.firings('nowhere').length);
    expect(await read('planned')).toBeGreaterThan(14);
  });

  it('is seen to change by those that stay', async () => {
    await start(['a', 'b', 'c']);
    await cluster.clock.advance(10_000);
    const first = cluster.leader()!;
    expect(await read('leaderChanges')).toBe(0);
    first.crash();
    metrics.delete(first.name);
    await cluster.clock.advance(30_000);
    expect(cluster.leader()!.name).not.toBe(first.name);
    expect(await read('leaderChanges')).toBe(2);
  });
});

describe('the lease, the clock and the watch', () => {
  it('show while all is well', async () => {
    await start(['a', 'b', 'c']);
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await cluster.clock.advance(20_000);
    for (const [name] of metrics) {
      expect(await read('trust', {}, name)).toBeGreaterThan(4);
      expect(await read('leaseTtl', {}, name)).toBe(10);
      expect(await read('clockOk', {}, name)).toBe(1);
      expect(Math.abs((await read('clockSkew', {}, name))!)).toBeLessThan(0.2);
      expect(await read('watchConnected', {}, name)).toBe(2);
      expect(await read('viewAge', {}, name)).toBeLessThanOrEqual(2);
    }
    expect(await read('watchLag')).toBeGreaterThan(10);
    expect(await read('etcdRequests', { operation: 'txn' })).toBeGreaterThan(60);
    expect(await read('etcdRequests', { operation: 'lease_keep_alive' })).toBeGreaterThan(9);
    // Asked by the leader alone.
    expect(await read('databaseQuota')).toBeGreaterThan(0);
    expect(await read('databaseFull')).toBe(0);
  });

  it('show a clock that is off', async () => {
    await start(['a', 'b', 'off'], {
      clock: (name, right) => (name === 'off' ? right.skewed({ offsetMs: 5_000 }) : right),
    });
    await cluster.clock.advance(30_000);
    expect(await read('clockOk', {}, 'off')).toBe(0);
    expect(await read('clockSkew', {}, 'off')).toBeCloseTo(5, 0);
    expect(await read('clockOk', {}, 'a')).toBe(1);
    expect(await read('workers', { state: 'clock_off' })).toBe(1);
  });

  it('count what was lost when etcd ends a lease', async () => {
    await start(['a', 'b']);
    await cluster.clock.advance(5_000);
    const { leaseId } = cluster.etcd.range({ start: cluster.keys.workers, end: `${cluster.keys.workers}b` })
      .kvs[0]!;
    await cluster.admin.leaseRevoke(leaseId!);
    await cluster.clock.advance(20_000);
    expect(await read('leasesLost', {}, 'a')).toBe(1);
    expect(await read('trustLost', {}, 'a')).toBe(1);
  });
});

describe('the number of series', () => {
  it('does not grow with jobs and runs', async () => {
    const seriesWith = async (jobs: number): Promise<number> => {
      await start(['a', 'b']);
      for (let index = 0; index < jobs; index += 1)
        await cluster.putJob(`job-${index}`, { schedule: '*/5 * * * * *' });
      await cluster.clock.advance(30_000);
      const text = await metrics.get('a')!.text();
      expect(text).not.toContain('job-0');
      const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      return series.length;
    };
    const few = await seriesWith(1);
    await cluster.stop();
    expect(await seriesWith(40)).toBeLessThanOrEqual(few + 60);
    expect(few).toBeLessThan(500);
  });

  it('has no label in use that the table does not know', async () => {
    await start(['a']);
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await cluster.clock.advance(10_000);
    for (const key of Object.keys(METRICS) as MetricKey[]) {
      const definition: MetricDefinition = METRICS[key];
      await metrics.get('a')!.text();
      for (const { labels } of (await metrics.get('a')!.get(key).get()).values) {
        for (const [label, value] of Object.entries(labels as Labels)) {
          if (label === 'le') continue;
          const allowed = definition.labels?.[label];
          expect(allowed, `${key} ${label}`).toBeDefined();
          if (Array.isArray(allowed)) expect(allowed).toContain(value);
        }
      }
    }
  });
});
