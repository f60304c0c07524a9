/**
 * What a benchmark found: everything that the report, the tables of the documentation and the plot are made of, as it is
 * written to JSON. Figures are kept per run; medians are made when they are shown.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { EtcronError, messageOf } from '../src/errors.js';
import type { Machine } from './machine.js';
import type { Figures, Measure, Scenario, ScenarioResult, Series, Target } from './scenario.js';
import { median } from './statistics.js';

const FORMAT = 'etcron-bench/1';

export interface BenchResults {
  readonly format: typeof FORMAT;
  readonly machine: Machine;
  readonly peer: PeerDescription | null;
  readonly scenarios: readonly ScenarioResults[];
  /** Firings lost, doubled, early or failed, in words: the figures of such a run are worth nothing. */
  readonly problems: readonly string[];
}

export interface PeerDescription {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  /** What only the peer tells. */
  readonly measures: readonly Measure[];
}

export interface ScenarioResults {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly Measure[];
  readonly rawMeasures: readonly Measure[];
  readonly targets: readonly Target[];
  readonly runs: readonly RunResults[];
}

export interface RunResults {
  readonly figures: Figures;
  readonly raw?: Figures;
  readonly peer?: Figures;
  readonly series?: readonly Series[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function toResults(
  machine: Machine,
  peer: PeerDescription | null,
  scenarios: readonly { scenario: Scenario; runs: readonly ScenarioResult[] }[],
  problems: readonly string[],
): BenchResults {
  return {
    format: FORMAT,
    machine,
    peer,
    scenarios: scenarios.map(({ scenario, runs }) => ({
      name: scenario.name,
      title: scenario.title,
      measures: scenario.measures,
      rawMeasures: scenario.rawMeasures ?? [],
      targets: scenario.targets,
      runs: runs.map(({ figures, raw, peer: ofPeer, series }) => ({
        figures,
        ...(raw === undefined ? {} : { raw }),
        ...(ofPeer === undefined ? {} : { peer: ofPeer }),
        ...(series === undefined ? {} : { series }),
      })),
    })),
    problems,
  };
}

/** Of the figures that are finite numbers; null when no run has one. */
export function summarize(runs: readonly (Figures | undefined)[], key: string): Summary | null {
  const values = runs
    .map((figures) => figures?.[key])
    // JSON has null where a figure was not a finite number.
    .filter((value): value is number => Number.isFinite(value));
  if (values.length === 0) return null;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The series of that name, point by point: the figures of all runs that reached it. */
export interface MergedSeries {
  readonly series: Series;
  readonly points: readonly { readonly x: number; readonly runs: readonly Figures[] }[];
}

export function mergeSeries(scenario: ScenarioResults): MergedSeries[] {
  const all = scenario.runs.flatMap(({ series }) => series ?? []);
  return [...new Set(all.map(({ name }) => name))].map((name) => {
    const same = all.filter((series) => series.name === name);
    const xs = [...new Set(same.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
    return {
      series: same[0]!,
      points: xs.map((x) => ({
        x,
        runs: same.flatMap(({ points }) => points.filter((point) => point.x === x)).map((p) => p.figures),
      })),
    };
  });
}

/** Lateness over the rate of firings: the series of that with the most points; null where none has any. */
export function rateSeries({ scenarios }: BenchResults): MergedSeries | null {
  const [longest] = scenarios
    .flatMap(mergeSeries)
    .filter(({ series, points }) => series.name === 'rate' && points.length > 0)
    .sort((a, b) => b.points.length - a.points.length);
  return longest ?? null;
}

export async function writeResults(file: string, results: BenchResults): Promise<void> {
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** Throws `ETCRON_USAGE` for a file that is not one of `--json`. */
export async function readResults(file: string): Promise<BenchResults> {
  let found: unknown;
  try {
    found = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new EtcronError('ETCRON_USAGE', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if ((found as Partial<BenchResults> | null)?.format !== FORMAT) {
    throw new EtcronError('ETCRON_USAGE', `${file} holds no results of this version of the benchmark`, {
      hint: 'Name a file that npm run bench -- --json FILE has written.',
    });
  }
  return found as BenchResults;
}
