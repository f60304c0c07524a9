/** What a person reads on the terminal: the median of the runs with their range, beside raw limits, the peer and the targets. */
import Table from 'cli-table3';
import { formatRatio, formatSummary, formatVerdict, rowsOf } from './comparison.js';
import type { Cost } from './cpu-profile.js';
import { describeBench } from './description.js';
import type { BenchResults, ScenarioResults } from './results.js';

const SHOWN_COSTS = 10;

export function renderReport(results: BenchResults): string {
  const { scenarios, peer } = results;
  return [...describeBench(results), ...scenarios.map((scenario) => renderScenario(scenario, peer))].join(
    '\n',
  );
}

/** Columns that would be empty are left out. */
function renderScenario(scenario: ScenarioResults, peer: BenchResults['peer']): string {
  const rows = rowsOf(scenario, peer);
  const runs = scenario.runs.length;
  const columns = [
    {
      head: runs === 1 ? 'one run' : `median of ${runs} runs (range)`,
      cells: rows.map(({ etcron, measure }) => formatSummary(etcron, measure, runs)),
    },
    { head: 'raw limit', cells: rows.map(({ raw, measure }) => formatSummary(raw, measure, runs)) },
    { head: 'peer', cells: rows.map(({ peer: ofPeer, measure }) => formatSummary(ofPeer, measure, runs)) },
    { head: 'peer ÷ etcron', cells: rows.map(({ peerRatio }) => formatRatio(peerRatio)) },
    { head: 'target', cells: rows.map(({ target, measure }) => target && formatVerdict(target, measure)) },
  ].filter(({ cells }) => cells.some((cell) => cell !== null && cell !== ''));
  const table = new Table({
    head: ['', ...columns.map(({ head }) => head)],
    colAligns: ['left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const [index, { measure }] of rows.entries())
    table.push([measure.label, ...columns.map(({ cells }) => cells[index] ?? '')]);
  return `\n${scenario.name}: ${scenario.title}\n${table.toString()}`;
}

/** The greatest costs of one firing, and what is left. */
export function renderCosts(costs: readonly Cost[]): string {
  const shown = costs.slice(0, SHOWN_COSTS);
  const rest = costs.slice(SHOWN_COSTS).reduce((sum, { ms }) => sum + ms, 0);
  const lines = [...shown, { place: 'everything else', ms: rest }];
  return `time of one worker per firing:\n${lines.map(({ place, ms }) => `  ${ms.toFixed(2).padStart(7)} ms  ${place}`).join('\n')}`;
}
