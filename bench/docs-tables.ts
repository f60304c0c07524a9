/** The tables of the documentation, made from results, between markers: `<!-- bench:NAME -->` … `<!-- /bench -->`. */
import { formatRatio, formatSummary, formatTarget, formatVerdict, rowsOf } from './comparison.js';
import { describeBench } from './description.js';
import { mergeSeries, rateSeries, summarize, type BenchResults, type ScenarioResults } from './results.js';

const BLOCK = /(<!-- bench:([\w.-]+) -->\n)[\s\S]*?(<!-- \/bench -->)/g;
const NOT_MEASURED = 'Not measured in this run.';

/**
 * The page with all its blocks made again. A block is named `machine`, `targets`, `plot`, after a scenario, or after one of its
 * series: `saturation.rate`. What is not in the results says so.
 */
export function fillTables(page: string, results: BenchResults): string {
  return page.replace(
    BLOCK,
    (_, open: string, name: string, close: string) => `${open}${renderBlock(name, results)}\n${close}`,
  );
}

function renderBlock(name: string, results: BenchResults): string {
  if (name === 'machine') return renderMachine(results);
  if (name === 'plot')
    return rateSeries(results) === null
      ? NOT_MEASURED
      : '![Lateness percentiles over the rate of firings](lateness.svg)';
  if (name === 'targets') return renderTargets(results);
  const [scenarioName, seriesName] = name.split('.');
  const scenario = results.scenarios.find((one) => one.name === scenarioName);
  if (scenario === undefined || scenario.runs.length === 0) return NOT_MEASURED;
  return seriesName === undefined
    ? renderScenario(scenario, results.peer)
    : renderSeries(scenario, seriesName);
}

function renderMachine(results: BenchResults): string {
  const counts = results.scenarios.map((scenario) => scenario.runs.length);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const runs =
    most <= 1
      ? 'one run'
      : `median of ${fewest === most ? '' : `${fewest} to `}${most} runs, with their range`;
  const { problems } = results;
  const verdict =
    problems.length === 0
      ? 'Nothing was lost, doubled, early, missed or failed.'
      : `This run has failed, its figures are worth nothing: ${problems.join('; ')}.`;
  return `${[...describeBench(results), runs].map((line) => `- ${line}`).join('\n')}\n\n${verdict}`;
}

function renderTargets({ scenarios, peer }: BenchResults): string {
  const rows = scenarios.flatMap((scenario) =>
    rowsOf(scenario, peer).flatMap(({ measure, etcron, target }) =>
      target === null
        ? []
        : [
            [
              `\`${scenario.name}\``,
              measure.label,
              formatTarget(target, measure),
              formatSummary(etcron, measure, scenario.runs.length),
              target.met ? 'met' : '**missed**',
            ],
          ],
    ),
  );
  if (rows.length === 0) return NOT_MEASURED;
  return renderTable(['scenario', 'figure', 'target', 'measured', ''], 'lllr-'.split(''), rows);
}

function renderScenario(scenario: ScenarioResults, peer: BenchResults['peer']): string {
  const rows = rowsOf(scenario, peer);
  const runs = scenario.runs.length;
  const all = [
    { head: scenario.title, cells: rows.map(({ measure }) => measure.label) },
    { head: 'etcron', cells: rows.map(({ etcron, measure }) => formatSummary(etcron, measure, runs)) },
    { head: 'raw limit', cells: rows.map(({ raw, measure }) => formatSummary(raw, measure, runs)) },
    {
      head: 'peer',
      cells: rows.map(({ peer: ofPeer, measure }) => formatSummary(ofPeer, measure, runs)),
    },
    { head: 'peer ÷ etcron', cells: rows.map(({ peerRatio }) => formatRatio(peerRatio)) },
    {
      head: 'target',
      cells: rows.map(({ target, measure }) => (target === null ? '' : formatVerdict(target, measure))),
    },
  ];
  const columns = all.filter(({ cells }) => cells.some((cell) => cell !== ''));
  return renderTable(
    columns.map(({ head }) => head),
    columns.map((_, index) => (index === 0 ? 'l' : 'r')),
    rows.map((_, index) => columns.map(({ cells }) => cells[index]!)),
  );
}

/** Medians of the runs that reached a point. */
function renderSeries(scenario: ScenarioResults, name: string): string {
  const merged = mergeSeries(scenario).find(({ series }) => series.name === name);
  if (!merged) return NOT_MEASURED;
  const { series, points } = merged;
  const measures = series.measures.filter(({ key }) =>
    points.some(({ runs }) => summarize(runs, key) !== null),
  );
  return renderTable(
    [series.xLabel, ...measures.map(({ label }) => label)],
    ['r', ...measures.map(() => 'r')],
    points.map(({ x, runs }) => [
      x.toLocaleString('en'),
      ...measures.map((measure) => formatSummary(summarize(runs, measure.key), measure, 1)),
    ]),
  );
}

function renderTable(
  head: readonly string[],
  aligns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = aligns.map((align) => (align === 'r' ? '---:' : '---'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
