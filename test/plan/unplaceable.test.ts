import { afterEach, expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.js';
import { MemoryCluster } from '../support/memory-cluster.js';

let cluster: MemoryCluster;

afterEach(() => cluster.stop());

it('says once that no worker can run a job, and that one can again', async () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLogger({ destination: { write } });
  cluster = new MemoryCluster({ log, nodes: { b: { labels: { gpu: 'x' } } } });
  const said = (): unknown[] =>
    lines
      .filter(({ msg }) => String(msg).includes('can run this job'))
      .map(({ job, why, msg }) => ({ job, why, msg }));
  await cluster.addNodes('a');
  await cluster.putJob('gpu', { schedule: '@daily', target: { with: { gpu: '*' } } });
  await cluster.putJob('any', { schedule: '@daily' });
  await cluster.clock.advance(30_000);
  const bad = { job: 'gpu', why: 'a worker has no label gpu', msg: 'no worker can run this job' };
  expect(said()).toEqual([bad]);
  await cluster.addNodes('b');
  await cluster.clock.advance(30_000);
  const good = { job: 'gpu', why: undefined, msg: 'a worker can run this job now' };
  expect(said()).toEqual([bad, good]);
});
