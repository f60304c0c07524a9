/** What a scenario is: something that is run on a fresh etcd and gives figures, or says what went wrong. */
import type { EmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import type { Cost } from './cpu-profile.js';
import type { BareSpawners } from './bare-spawners.js';
import type { Peer } from './peer/peer.js';

export interface ScenarioContext {
  readonly etcd: EmbeddedEtcd;
  readonly spawners: BareSpawners;
  /** The etcron program that is measured. */
  readonly program: string;
  /** Where the first worker leaves a CPU profile; null: none is taken. */
  readonly profileDir: string | null;
  /** For scenarios that are as long as one likes. */
  readonly minutes: number;
  /** What etcd does for so many clients that do nothing else (`RAW_MEASURES`), measured once per run. */
  readonly rawLimits: (clients: number) => Promise<Figures>;
  /** What does the same work for comparison; null: nothing is compared. */
  readonly peer: Peer | null;
  readonly say: (line: string) => void;
}

export const WORKERS = 3;

/** By `Measure.key`. A figure that this system cannot give is absent. */
export type Figures = Record<string, number>;

export interface ScenarioResult {
  readonly figures: Figures;
  /** Broken promises: a firing that is lost, doubled, early or failed. Any of them fails the whole benchmark. */
  readonly problems: readonly string[];
  /** Of the profiled worker, per firing that it ran; null without a profile. */
  readonly costs?: readonly Cost[] | null;
  /** What depends on a quantity, such as lateness on the rate: a plot. */
  readonly series?: readonly Series[];
  /** What the peer makes of the same work, by the scenario's own measures as far as they apply to it. */
  readonly peer?: Figures;
  /** The raw limits beside this scenario, by `Scenario.rawMeasures`. */
  readonly raw?: Figures;
}

export interface Series {
  readonly name: string;
  /** The measure that x is, e.g. `rate`. */
  readonly x: string;
  readonly xLabel: string;
  /** What the figures of the points are. */
  readonly measures: readonly Measure[];
  /** By x, ascending. */
  readonly points: readonly SeriesPoint[];
}

export interface SeriesPoint {
  readonly x: number;
  readonly figures: Figures;
}

export interface Measure {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
}

/** What a figure should be. A target that is missed is told, and fails nothing. */
export type Target =
  | { readonly measure: string; readonly atMost: number }
  | { readonly measure: string; readonly atLeast: number };

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly Measure[];
  /** Each names one of `measures`. None where the scenario only compares. */
  readonly targets: readonly Target[];
  /** Of `ScenarioResult.raw`. */
  readonly rawMeasures?: readonly Measure[];
  /** It is so long that etcd has to drop its history now and then, as in production; it must not read back far. */
  readonly compacts?: boolean;
  /** It takes too long to be part of everything. */
  readonly onlyWhenNamed?: boolean;
  run(context: ScenarioContext): Promise<ScenarioResult>;
}

/** The rows for what `spread` gives. */
export function spreadMeasures(key: string, label: string, digits = 0): Measure[] {
  return [
    { key: `${key}P50Ms`, label: `${label}, p50`, unit: 'ms', digits },
    { key: `${key}P99Ms`, label: `${label}, p99`, unit: 'ms', digits },
    { key: `${key}MaxMs`, label: `${label}, max`, unit: 'ms', digits },
  ];
}
