/** What a node does with many jobs at once: everything in the end, and little in one go. */
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../../src/telemetry/logger.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const COUNT = 1_200;
const START_MS = Date.UTC(2026, 0, 1, 12);

let cluster: MemoryCluster;

afterEach(() => cluster.stop());

function collect(): { log: Logger; said: (text: string) => Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const said = (text: string): Record<string, unknown>[] =>
    lines.filter(({ msg }) => String(msg).includes(text));
  return { log: createLogger({ destination: { write } }), said };
}

function putJobs(definition: (index: number) => Record<string, unknown>): void {
  for (let index = 0; index < COUNT; index += 1) {
    const value = JSON.stringify({ command: 'run 10', ...definition(index) });
    cluster.etcd.txn({ compare: [], success: [{ type: 'put', key: cluster.keys.job(`j${index}`), value }] });
  }
}

describe('with many jobs', () => {
  it('says of each broken one why, some time after the start', async () => {
    const { log, said } = collect();
    cluster = new MemoryCluster({ log, startMs: START_MS });
    putJobs((index) => (index % 400 === 399 ? { schedule: 'never' } : { schedule: '@monthly' }));
    await cluster.addNodes('a');
    await cluster.clock.advance(30_000);
    const broken = said('this job is broken').map(({ job }) => job);
    expect(broken.sort()).toEqual(['j1199', 'j399', 'j799']);
    await cluster.putJob('j1', { schedule: 'never' });
    await cluster.clock.advance(100);
    expect(said('this job is broken')).toHaveLength(4);
  });

  it('says of each one that no worker can run why, whatever they share', async () => {
    const { log, said } = collect();
    cluster = new MemoryCluster({ log, startMs: START_MS });
    const asking = [{ target: { with: { gpu: '*' } } }, { weight: 65 }, {}];
    putJobs((index) => ({ schedule: '@monthly', ...asking[index % 3] }));
    await cluster.addNodes('a');
    await cluster.clock.advance(30_000);
    const reasons = said('no worker can run').map(({ why }) => why);
    expect(reasons).toHaveLength((COUNT / 3) * 2);
    expect(new Set(reasons).size).toBe(2);
  });

  it('plans all that are due at one instant, none that is broken, and those of a new leader from where the old one was', async () => {
    cluster = new MemoryCluster({ startMs: START_MS });
    putJobs((index) => ({
      schedule: '1 12 * * *',
      ...(index === 7 ? { weight: 'heavy' } : {}),
    }));
    await cluster.addNodes('a', 'b', 'c');
    await cluster.clock.advance(40_000);
    expect(cluster.firings()).toEqual([]);
    const leader = cluster.leader()!;
    leader.crash();
    await cluster.clock.advance(15_000);
    expect(cluster.leader()).toBeDefined();
    expect(new Set(cluster.firings()).size).toBe(COUNT - 1);
    await cluster.clock.advance(60_000);
    expect(cluster.records().size).toBe(COUNT - 1);
    expect(cluster.violations()).toEqual([]);
  });
});
