/** Where firings run: labels, weights, and another worker for the next attempt. */
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

const T0 = Date.UTC(2026, 0, 1, 12);

let cluster: MemoryCluster;

afterEach(async () => {
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

async function start(nodes: NonNullable<MemoryClusterOptions['nodes']>): Promise<void> {
  cluster = new MemoryCluster({ nodes });
  await cluster.addNodes(...Object.keys(nodes));
}

function nodesThatRan(job: string): string[] {
  const ran = cluster.processes.filter(({ runId }) => runId.startsWith(`${job}/`));
  return ran.map(({ node }) => node);
}

describe('a target', () => {
  it('keeps a job to the workers that have the labels', async () => {
    await start({
      plain: {},
      ssd: { labels: { disk: 'ssd' } },
      spot: { labels: { disk: 'ssd', spot: 'yes' } },
    });
    const target = { with: { disk: ['ssd', 'nvme'] }, without: { spot: '*' } };
    await cluster.putJob('picky', { schedule: '* * * * * *', target });
    await cluster.putJob('any', { schedule: '* * * * * *' });
    await cluster.clock.advance(20_000);
    expect(new Set(nodesThatRan('picky'))).toEqual(new Set(['ssd']));
    expect(nodesThatRan('picky').length).toBeGreaterThan(15);
    expect(new Set(nodesThatRan('any'))).toEqual(new Set(['plain', 'ssd', 'spot']));
  });

  it('leaves the due time for a worker that comes later, by the misfire policy', async () => {
    await start({ a: {}, b: {} });
    await cluster.putJob('job', { schedule: '30 0 12 * * *', target: { with: { gpu: '*' } } });
    await cluster.clock.advance(60_000);
    expect(cluster.processes).toEqual([]);
    expect(cluster.firings('job')).toEqual(['job/2026-01-01T12:00:30.000Z']);
    await cluster.putJob('job', { schedule: '30 0 12 * * *', target: { without: { gpu: '*' } } });
    await cluster.clock.advance(5_000);
    expect(cluster.processes).toMatchObject([{ dueMs: T0 + 30_000 }]);
  });

  it('does not keep an orphan that is not run again from being recorded', async () => {
    await start({ a: { labels: { only: 'a' } }, b: {} });
    await cluster.putJob('job', {
      ...{ schedule: '5 0 12 * * *', command: 'run 60000', recovery: 'abandon' },
      target: { with: { only: 'a' } },
    });
    await cluster.clock.advance(6_000);
    cluster.nodes.find(({ name }) => name === 'a')!.crash();
    await cluster.clock.advance(30_000);
    expect([...cluster.records('job').values()]).toMatchObject([{ outcome: 'lost', attempts: 1 }]);
  });
});

describe('a handler', () => {
  it('is asked of a worker', async () => {
    await start({ a: {}, b: { handlers: ['mail'] } });
    await cluster.putJob('job', { schedule: '* * * * * *', command: null, handler: 'mail' });
    await cluster.clock.advance(5_000);
    expect(new Set(nodesThatRan('job'))).toEqual(new Set(['b']));
  });
});

describe('a weight', () => {
  it('takes that much of the capacity', async () => {
    await start({ a: { capacity: 4 }, b: { capacity: 4 } });
    for (const name of ['h1', 'h2', 'h3'])
      await cluster.putJob(name, { schedule: '5 0 12 * * *', command: 'run 5000', weight: 3 });
    await cluster.putJob('light', { schedule: '6 0 12 * * *', command: 'run 100' });
    await cluster.clock.advance(7_000);
    const heavy = cluster.processes.filter(({ runId }) => runId.startsWith('h'));
    expect(heavy.map(({ node }) => node).sort()).toEqual(['a', 'b']);
    // There is room for it beside them, and the third of them does not stand in its way.
    expect(nodesThatRan('light')).toHaveLength(1);
    await cluster.clock.advance(10_000);
    const starts = cluster.processes.filter(({ runId }) => runId.startsWith('h')).map((p) => p.startedAtMs);
    expect(starts.sort()).toEqual([T0 + 5_000, T0 + 5_000, T0 + 10_000]);
  });

  it('above every capacity fits nowhere', async () => {
    await start({ a: { capacity: 4 } });
    await cluster.putJob('job', { schedule: '5 0 12 * * *', weight: 5 });
    await cluster.clock.advance(60_000);
    expect(cluster.processes).toEqual([]);
  });
});

describe('avoidLastWorker', () => {
  const retries = { attempts: 3, delay: '1s', backoff: 'fixed', avoidLastWorker: true };

  it('gives the next attempt to another worker', async () => {
    await start({ a: {}, b: {}, c: {} });
    for (let index = 0; index < 8; index += 1)
      await cluster.putJob(`j${index}`, { schedule: '5 0 12 * * *', command: 'run 100 exit 1', retries });
    await cluster.clock.advance(20_000);
    for (let index = 0; index < 8; index += 1) {
      const [first, second, third] = nodesThatRan(`j${index}`);
      expect(second).not.toBe(first);
      expect(third).not.toBe(second);
    }
  });

  it('takes the same one where there is no other', async () => {
    await start({ a: { labels: { x: '1' } }, b: {} });
    await cluster.putJob('job', {
      ...{ schedule: '5 0 12 * * *', command: 'run 100 exit 1', retries },
      target: { with: { x: '1' } },
    });
    await cluster.clock.advance(20_000);
    expect(nodesThatRan('job')).toEqual(['a', 'a', 'a']);
  });
});
