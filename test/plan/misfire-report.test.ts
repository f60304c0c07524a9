import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.js';
import { MemoryCluster } from '../support/memory-cluster.js';

/** Warnings of all nodes. */
let warnings: { msg: string; job?: string; jobs?: number; run?: number; missed?: number }[];
let cluster: MemoryCluster;

beforeEach(() => {
  warnings = [];
  const write = (line: string): void => {
    warnings.push(JSON.parse(line) as (typeof warnings)[number]);
  };
  cluster = new MemoryCluster({ log: createLogger({ level: 'warn', destination: { write } }) });
});

afterEach(async () => {
  await cluster.stop();
});

async function comeBackAfterAnOutage(jobs: number): Promise<void> {
  const [first] = await cluster.addNodes('w');
  for (let job = 0; job < jobs; job += 1)
    await cluster.putJob(`job-${job}`, {
      schedule: '@every 60s',
      command: 'run 10',
      misfire: { policy: 'skip' },
    });
  await cluster.clock.advance(70_000);
  first!.crash();
  await cluster.clock.advance(600_000);
  await cluster.addNodes('w');
  await cluster.clock.advance(30_000);
}

const perJob = () => warnings.filter(({ msg }) => msg === 'due times were not started in time');
const ofTheRest = () =>
  warnings.filter(({ msg }) => msg === 'due times of more jobs were not started in time');

describe('due times that nobody started in time', () => {
  it('are told job by job', async () => {
    await comeBackAfterAnOutage(3);
    expect(perJob().map(({ job }) => job)).toEqual(expect.arrayContaining(['job-0', 'job-1', 'job-2']));
    expect(ofTheRest()).toEqual([]);
  });

  it('of very many jobs are told in one line, but for the first ones', async () => {
    await comeBackAfterAnOutage(300);
    const told = new Set(perJob().map(({ job }) => job)).size;
    expect(told).toBeLessThan(100);
    expect(ofTheRest().length).toBeGreaterThan(0);
    const jobs = ofTheRest().reduce((sum, rest) => sum + rest.jobs!, perJob().length);
    expect(jobs).toBeGreaterThanOrEqual(300);
    const missed = [...perJob(), ...ofTheRest()].reduce((sum, line) => sum + line.missed!, 0);
    expect(missed).toBeGreaterThan(300 * 8);
  });
});
