/** The table that a person reads: the median of the runs, with their range. */
import Table from 'cli-table3';
import type { Cost } from './cpu-profile.js';
import type { Machine } from './machine.js';
import type { Figures, Measure, Scenario } from './scenario.js';
import { median } from './statistics.js';

const SHOWN_COSTS = 10;

export interface ScenarioRuns {
  readonly scenario: Scenario;
  /** One for each run. */
  readonly runs: readonly Figures[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Null when no run has the figure. */
export function summarize(runs: readonly Figures[], key: string): Summary | null {
  const values = runs.map((figures) => figures[key]).filter((value) => value !== undefined);
  if (values.length === 0) return null;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

export function renderReport(machine: Machine, results: readonly ScenarioRuns[], runs: number): string {
  const columns = runs === 1 ? ['', 'one run'] : ['', `median of ${runs} runs`, 'range'];
  const table = new Table({
    head: columns,
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { scenario, runs: figures } of results) {
    table.push([{ content: `${scenario.name}: ${scenario.title}`, colSpan: columns.length }]);
    for (const measure of scenario.measures) {
      const summary = summarize(figures, measure.key);
      if (summary === null) continue;
      const { median: middle, min, max } = summary;
      const cells = [`  ${measure.label}`, `${format(middle, measure)} ${measure.unit}`.trimEnd()];
      table.push(runs === 1 ? cells : [...cells, `${format(min, measure)} – ${format(max, measure)}`]);
    }
  }
  return `${describe(machine)}\n${table.toString()}`;
}

/** The greatest costs of one firing, and what is left. */
export function renderCosts(costs: readonly Cost[]): string {
  const shown = costs.slice(0, SHOWN_COSTS);
  const rest = costs.slice(SHOWN_COSTS).reduce((sum, { ms }) => sum + ms, 0);
  const lines = [...shown, { place: 'everything else', ms: rest }];
  return `time of one worker per firing:\n${lines.map(({ place, ms }) => `  ${ms.toFixed(2).padStart(7)} ms  ${place}`).join('\n')}`;
}

function describe(machine: Machine): string {
  const { node, etcd, etcron, platform, cpu, cores, memoryGiB, disk, loadAtStart, startedAt } = machine;
  return [
    `etcron ${etcron}, Node ${node}, etcd ${etcd} (one member, fsync on, data on ${disk})`,
    `${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}`,
    `begun ${startedAt}, load average before ${loadAtStart.toFixed(1)}`,
  ].join('\n');
}

function format(value: number, { digits }: Measure): string {
  return Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
