import { describe, expect, it } from 'vitest';
import type { Machine } from '../../bench/machine.js';
import { renderCosts, renderReport, summarize } from '../../bench/report.js';
import type { Scenario } from '../../bench/scenario.js';

const machine: Machine = {
  ...{ node: '20.0.0', etcd: '3.4.0', etcron: '0.1.0', platform: 'linux 6 x64', cpu: 'A CPU', cores: 2 },
  ...{ memoryGiB: 24, disk: 'ext4', loadAtStart: 0.25, startedAt: '2026-01-01T00:00:00.000Z' },
};
const scenario: Scenario = {
  name: 'one',
  title: 'a scenario',
  measures: [
    { key: 'late', label: 'lateness', unit: 'ms', digits: 1 },
    { key: 'ratio', label: 'ratio', unit: '', digits: 0 },
    { key: 'absent', label: 'absent', unit: 'ms', digits: 0 },
  ],
  targets: [],
  run: () => Promise.reject(new Error('not here')),
};

describe('the report', () => {
  it('shows the median of the runs with their range', () => {
    const runs = [{ late: 1234.56, ratio: NaN }, { late: 1 }, { late: 3 }];
    const text = renderReport(machine, [{ scenario, runs }], 3);
    expect(text).toMatch(/lateness\s+│\s+3\.0 ms\s+│\s+1\.0 – 1,234\.6/);
    expect(text).toMatch(/ratio\s+│\s+–/);
    expect(text).not.toContain('absent');
    expect(text).toContain('2 cores (A CPU), 24 GiB');
  });

  it('shows one run as it is', () => {
    const text = renderReport(machine, [{ scenario, runs: [{ late: 2 }] }], 1);
    expect(text).toMatch(/lateness\s+│\s+2\.0 ms/);
    expect(text).not.toContain('range');
  });

  it('summarizes the runs that have a figure', () => {
    expect(summarize([{ a: 1 }, {}, { a: 4 }], 'a')).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(summarize([{}], 'a')).toBeNull();
  });

  it('adds up the costs that it does not name', () => {
    const costs = Array.from({ length: 12 }, (_, index) => ({ place: `place ${index}`, ms: 1 }));
    expect(renderCosts(costs)).toMatch(/2\.00 ms {2}everything else$/);
  });
});
