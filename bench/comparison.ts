/** A scenario's figures as rows: etcron beside the raw limit of the machine, the peer and the target. */
import type { Measure, Target } from './scenario.js';
import { summarize, type BenchResults, type ScenarioResults, type Summary } from './results.js';

export interface Row {
  readonly measure: Measure;
  readonly etcron: Summary | null;
  readonly raw: Summary | null;
  readonly peer: Summary | null;
  /** The peer's median ÷ etcron's; null where one of them is absent or 0. */
  readonly peerRatio: number | null;
  readonly target: Verdict | null;
}

export interface Verdict {
  readonly target: Target;
  /** By the median of the runs. */
  readonly met: boolean;
}

/**
 * A raw or peer figure stands beside the measure of the same key; those without one have rows of their own. Rows without any
 * figure are left out.
 */
export function rowsOf(scenario: ScenarioResults, peer: BenchResults['peer']): Row[] {
  const keys = new Set(scenario.measures.map(({ key }) => key));
  const own = [...scenario.rawMeasures, ...(peer?.measures ?? [])].filter(
    ({ key }, index, all) => !keys.has(key) && all.findIndex((measure) => measure.key === key) === index,
  );
  return [...scenario.measures, ...own].flatMap((measure) => {
    const row = rowOf(scenario, measure);
    return row.etcron === null && row.raw === null && row.peer === null ? [] : [row];
  });
}

function rowOf({ runs, targets }: ScenarioResults, measure: Measure): Row {
  const of = (which: 'figures' | 'raw' | 'peer'): Summary | null =>
    summarize(
      runs.map((run) => run[which]),
      measure.key,
    );
  const [etcron, raw, peer] = [of('figures'), of('raw'), of('peer')];
  const target = targets.find((one) => one.measure === measure.key);
  const ratio = etcron !== null && peer !== null ? peer.median / etcron.median : NaN;
  return {
    measure,
    etcron,
    raw,
    peer,
    peerRatio: Number.isFinite(ratio) && ratio > 0 ? ratio : null,
    target:
      target === undefined || etcron === null ? null : { target, met: isMet(target, etcron.median, measure) },
  };
}

/** At the precision at which the figure is shown. */
function isMet(target: Target, value: number, { digits }: Measure): boolean {
  const shown = Number(value.toFixed(digits));
  return 'atMost' in target
    ? Math.min(shown, value) <= target.atMost
    : Math.max(shown, value) >= target.atLeast;
}

export function formatTarget({ target }: Verdict, measure: Measure): string {
  const [sign, value] = 'atMost' in target ? ['≤', target.atMost] : ['≥', target.atLeast];
  return `${sign} ${value.toLocaleString('en')} ${measure.unit}`.trimEnd();
}

export function formatVerdict(verdict: Verdict, measure: Measure): string {
  return `${formatTarget(verdict, measure)}: ${verdict.met ? 'met' : 'missed'}`;
}

/** The median with its unit, and the range where there are several runs. */
export function formatSummary(summary: Summary | null, measure: Measure, runs: number): string {
  if (summary === null) return '';
  const { median, min, max } = summary;
  const value = `${format(median, measure)} ${measure.unit}`.trimEnd();
  return runs > 1 ? `${value} (${format(min, measure)}–${format(max, measure)})` : value;
}

export function formatRatio(ratio: number | null): string {
  return ratio === null ? '' : `${format(ratio, { digits: ratio < 10 ? 1 : 0 })} ×`;
}

function format(value: number, { digits }: Pick<Measure, 'digits'>): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
