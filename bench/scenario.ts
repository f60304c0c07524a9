/** What a scenario is: something that is run on a fresh etcd and gives figures, or says what went wrong. */
import type { EmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import type { Cost } from './cpu-profile.js';
import type { BareSpawners } from './bare-spawners.js';

export interface ScenarioContext {
  readonly etcd: EmbeddedEtcd;
  readonly spawners: BareSpawners;
  /** The etcron program that is measured. */
  readonly program: string;
  /** Where the first worker leaves a CPU profile; null: none is taken. */
  readonly profileDir: string | null;
  /** For scenarios that are as long as one likes. */
  readonly minutes: number;
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
}

export interface Measure {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly Measure[];
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
