import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rowsOf } from '../../bench/comparison.js';
import { fillTables } from '../../bench/docs-tables.js';
import { drawLateness } from '../../bench/lateness-plot.js';
import { joinResults } from '../../bench/join-results.js';
import type { Machine } from '../../bench/machine.js';
import { renderCosts, renderReport } from '../../bench/report.js';
import {
  mergeSeries,
  readResults,
  summarize,
  toResults,
  writeResults,
  type BenchResults,
} from '../../bench/results.js';
import type { Figures, Scenario, ScenarioResult } from '../../bench/scenario.js';

const machine: Machine = {
  ...{ node: '20.0.0', etcd: '3.4.0', etcron: '0.1.0', platform: 'linux 6 x64', cpu: 'A CPU', cores: 2 },
  ...{ memoryGiB: 24, disk: 'ext4', loadAtStart: 0.25, startedAt: '2026-01-01T00:00:00.000Z' },
};
const peer = {
  name: 'another scheduler',
  versions: { other: '1.2.3' },
  measures: [{ key: 'lost', label: 'lost by the peer', unit: '', digits: 0 }],
};
const scenario: Scenario = {
  name: 'one',
  title: 'a scenario',
  measures: [
    { key: 'late', label: 'lateness', unit: 'ms', digits: 1 },
    { key: 'ratio', label: 'ratio', unit: '', digits: 0 },
    { key: 'absent', label: 'absent', unit: 'ms', digits: 0 },
  ],
  targets: [{ measure: 'late', atMost: 3 }],
  rawMeasures: [{ key: 'bare', label: 'bare', unit: 'ms', digits: 0 }],
  run: () => Promise.reject(new Error('not here')),
};

function resultsOf(runs: readonly Partial<ScenarioResult>[], problems: readonly string[] = []): BenchResults {
  const whole = runs.map((run) => ({ figures: {}, problems: [], ...run }));
  return toResults(machine, peer, [{ scenario, runs: whole }], problems);
}

function runsWith(figures: readonly Figures[]): BenchResults {
  return resultsOf(figures.map((one) => ({ figures: one })));
}

function rate(points: readonly (readonly [x: number, p99: number])[]): Partial<ScenarioResult> {
  const measures = [{ key: 'latenessP99Ms', label: 'p99', unit: 'ms', digits: 0 }];
  const found = points.map(([x, latenessP99Ms]) => ({ x, figures: { latenessP99Ms } }));
  return { series: [{ name: 'rate', x: 'rate', xLabel: 'firings/s', measures, points: found }] };
}

describe('the report', () => {
  it('shows the median of the runs with their range', () => {
    const text = renderReport(runsWith([{ late: 1234.56, ratio: NaN }, { late: 1 }, { late: 3 }]));
    expect(text).toMatch(/lateness\s+│\s+3\.0 ms \(1\.0–1,234\.6\)/);
    expect(text).not.toContain('absent');
    expect(text).toContain('2 cores (A CPU), 24 GiB');
    expect(text).toContain('other 1.2.3');
  });

  it('shows one run as it is', () => {
    const text = renderReport(runsWith([{ late: 2 }]));
    expect(text).toMatch(/lateness\s+│\s+2\.0 ms\s+│/);
    expect(text).not.toContain('range');
    expect(text).not.toContain('raw limit');
  });

  it('sets raw limits, the peer and targets beside the figures', () => {
    const text = renderReport(
      resultsOf([{ figures: { late: 2 }, raw: { bare: 1 }, peer: { late: 30, lost: 4 } }]),
    );
    expect(text).toMatch(/lateness\s+│\s+2\.0 ms\s+│\s+│\s+30\.0 ms\s+│\s+15 ×\s+│\s+≤ 3 ms: met/);
    expect(text).toMatch(/bare\s+│\s+│\s+1 ms/);
    expect(text).toMatch(/lost by the peer\s+│\s+│\s+│\s+4/);
  });

  it('judges targets by the median, at the precision that is shown', () => {
    const met = (figures: readonly Figures[]): unknown =>
      rowsOf(runsWith(figures).scenarios[0]!, null)[0]!.target?.met;
    expect(met([{ late: 1 }, { late: 3 }, { late: 100 }])).toBe(true);
    expect(met([{ late: 3.04 }])).toBe(true);
    expect(met([{ late: 3.1 }])).toBe(false);
  });

  it('summarizes the runs that have a figure', () => {
    expect(summarize([{ a: 1 }, {}, { a: 4 }, undefined, { a: NaN }], 'a')).toEqual({
      median: 2.5,
      min: 1,
      max: 4,
    });
    expect(summarize([{}], 'a')).toBeNull();
  });

  it('adds up the costs that it does not name', () => {
    const costs = Array.from({ length: 12 }, (_, index) => ({ place: `place ${index}`, ms: 1 }));
    expect(renderCosts(costs)).toMatch(/2\.00 ms {2}everything else$/);
  });

  it('puts several benchmarks together', () => {
    const first = runsWith([{ late: 1 }, { late: 5 }]);
    const other = resultsOf([{ figures: { late: 3 } }], ['one was lost']);
    const [one] = other.scenarios;
    const later = { ...other.machine, startedAt: '2026-01-02T00:00:00.000Z', loadAtStart: 2 };
    const joined = joinResults([
      { ...other, machine: later, scenarios: [one!, { ...one!, name: 'two' }], peer: null },
      first,
    ]);
    expect(joined.scenarios.map(({ name, runs }) => [name, runs.length])).toEqual([
      ['one', 3],
      ['two', 1],
    ]);
    expect(renderReport(joined)).toMatch(/lateness\s+│\s+3\.0 ms \(1\.0–5\.0\)/);
    expect(joined).toMatchObject({ peer, problems: ['one was lost'] });
    expect(joined.machine).toMatchObject({ startedAt: machine.startedAt, loadAtStart: 2 });
  });

  it('puts nothing together that was not measured alike', () => {
    const results = runsWith([{ late: 1 }]);
    const elsewhere = { ...results, machine: { ...machine, cores: 64 } };
    expect(() => joinResults([results, elsewhere])).toThrow(/cores is 2 in one of them and 64 in another/);
    expect(() => joinResults([])).toThrow('there are no results');
  });

  it('is the same after a way through JSON', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'etcron-test-bench-'));
    try {
      const results = resultsOf([{ figures: { late: 2, ratio: NaN }, peer: { late: 3 } }, rate([[1, 2]])]);
      await writeResults(join(dir, 'a.json'), results);
      const again = await readResults(join(dir, 'a.json'));
      expect(renderReport(again)).toBe(renderReport(results));
      expect(mergeSeries(again.scenarios[0]!)).toEqual(mergeSeries(results.scenarios[0]!));
      await writeFile(join(dir, 'b.json'), '{}');
      await expect(readResults(join(dir, 'b.json'))).rejects.toThrow('no results of this version');
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('the tables of the documentation', () => {
  const block = (name: string): string => `before\n<!-- bench:${name} -->\nold\n<!-- /bench -->\nafter`;

  it('replace what stands between their markers, and nothing else', () => {
    const page = fillTables(`${block('one')}\n${block('targets')}`, runsWith([{ late: 4 }]));
    expect(page).not.toContain('old');
    expect(page.match(/before|after/g)).toHaveLength(4);
    expect(page).toContain('| a scenario | etcron | target |\n| --- | ---: | ---: |');
    expect(page).toContain('| lateness | 4.0 ms | ≤ 3 ms: missed |');
    expect(page).toContain('| `one` | lateness | ≤ 3 ms | 4.0 ms | **missed** |');
    expect(fillTables(page, runsWith([{ late: 4 }]))).toBe(page);
  });

  it('say what was not measured, and that a run has failed', () => {
    expect(fillTables(block('two'), runsWith([{}]))).toContain('Not measured in this run.');
    expect(fillTables(block('machine'), runsWith([{}]))).toContain('Nothing was lost');
    expect(fillTables(block('machine'), resultsOf([{}], ['2 lost']))).toContain('This run has failed');
  });

  it('show a series by the runs that reached each point', () => {
    const page = fillTables(
      block('one.rate'),
      resultsOf([
        rate([[1_000, 2]]),
        rate([
          [1_000, 4],
          [2_000, 9],
        ]),
      ]),
    );
    expect(page).toContain('| firings/s | p99 |\n| ---: | ---: |\n| 1,000 | 3 ms |\n| 2,000 | 9 ms |');
  });
});

describe('the plot', () => {
  it('draws a line of percentiles on a ground of its own', async () => {
    const svg = await drawLateness(
      resultsOf([
        rate([
          [1_000, 2],
          [2_000, 0],
        ]),
      ]),
    );
    expect(svg).toMatch(/^<svg/);
    expect(svg).toContain('firings/s');
    expect(svg).toMatch(/fill="white"/);
    expect(svg).not.toContain('NaN');
  });

  it('is not drawn without a series of rates', async () => {
    expect(await drawLateness(runsWith([{ late: 1 }]))).toBeNull();
  });
});
