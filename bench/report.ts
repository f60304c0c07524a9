/** The table that a person reads: the median of the runs, with their range. */
import Table from 'cli-table3';
import type { Machine } from './machine.js';
import type { Figures, Measure, Scenario } from './scenario.js';
import { median } from './statistics.js';

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
  const table = new Table({
    head: ['', runs === 1 ? 'one run' : `median of ${runs} runs`, 'range'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { scenario, runs: figures } of results) {
    table.push([{ content: `${scenario.name}: ${scenario.title}`, colSpan: 3 }]);
    for (const measure of scenario.measures) {
      const summary = summarize(figures, measure.key);
      if (summary === null) continue;
      const { median: middle, min, max } = summary;
      const range = runs === 1 ? '' : `${format(min, measure)} – ${format(max, measure)}`;
      table.push([`  ${measure.label}`, `${format(middle, measure)} ${measure.unit}`.trimEnd(), range]);
    }
  }
  return `${describe(machine)}\n${table.toString()}`;
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
