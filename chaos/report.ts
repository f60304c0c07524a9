/** What a chaos run found, for people. */
import Table from 'cli-table3';
import type { Broken, Violation } from './checks/observations.js';
import type { NotedFault } from './nemesis.js';
import type { Figures } from './recovery.js';

export interface ChaosReport {
  readonly seed: string;
  readonly minutes: number;
  readonly workers: number;
  readonly etcd: string;
  readonly faults: readonly NotedFault[];
  readonly figures: Figures;
  /** Starts of a worker that found no etcd that answers. */
  readonly refusedStarts: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /** What went wrong beside the promises: a worker that ended by itself, a fault that could not be carried out. */
  readonly problems: readonly string[];
}

const BROKEN: readonly Broken[] = ['early', 'duplicate', 'overlap', 'lost', 'false record', 'stuck'];
const SHOWN_VIOLATIONS = 20;

export function renderReport(report: ChaosReport): string {
  const { seed, minutes, workers, etcd, faults, figures, outcomes, violations, problems } = report;
  const kinds = new Map<string, number>();
  for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const table = new Table({ style: { head: [], border: [], compact: true }, colAligns: ['left', 'right'] });
  const section = (title: string): void => void table.push([{ content: title, colSpan: 2 }]);
  section(`${minutes} minutes of faults, seed ${seed}: ${workers} workers, 3 members of etcd ${etcd}`);
  table.push(['faults', faults.length]);
  for (const [kind, count] of [...kinds].sort(([a], [b]) => a.localeCompare(b)))
    table.push([`  ${kind}`, count]);
  table.push(['due times', figures.dueTimes], ['processes started', figures.attempts]);
  for (const [outcome, count] of Object.entries(outcomes)) table.push([`  records: ${outcome}`, count]);
  section('promises');
  for (const kind of BROKEN)
    table.push([`  ${kind}`, violations.filter(({ broken }) => broken === kind).length]);
  section('what the faults cost');
  table.push(
    ['  overlaps after worker and watchdog were hit together', figures.excusedOverlaps],
    ['  overlaps after etcd ended a lease before its time', figures.robbedOverlaps],
    ['  commands that had ended, and were started again', figures.repeats],
    ['  start elsewhere after SIGKILL of a worker, times', figures.recoveries],
    ['    median', ms(figures.medianRecoveryMs)],
    ['    worst', ms(figures.worstRecoveryMs)],
    ['  lateness, median', ms(figures.medianLatenessMs)],
    ['    p99', ms(figures.p99LatenessMs)],
    ['    worst', ms(figures.worstLatenessMs)],
    ['  longest time without any start', ms(figures.longestSilenceMs)],
    ['  starts of a worker while etcd did not answer', report.refusedStarts],
  );
  const lines = violations.map(({ broken, subject, text }) => `${broken}: ${subject} ${text}`);
  const shown = lines.slice(0, SHOWN_VIOLATIONS);
  if (lines.length > shown.length) shown.push(`… and ${lines.length - shown.length} more`);
  return [table.toString(), ...shown, ...problems.map((text) => `problem: ${text}`)].join('\n');
}

function ms(value: number): string {
  if (Number.isNaN(value)) return '–';
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}
