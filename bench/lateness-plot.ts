/** The plot of lateness percentiles over the rate of firings, as an SVG that is readable on light and dark pages. */
import { parse, View, type Spec } from 'vega';
import { rateSeries, summarize, type BenchResults } from './results.js';

/** With a colour that tells them apart in print and for the colour-blind, too (Okabe and Ito). */
const LINES = [
  { key: 'latenessP50Ms', label: 'p50', color: '#0072b2' },
  { key: 'latenessP99Ms', label: 'p99', color: '#d55e00' },
  { key: 'latenessMaxMs', label: 'max', color: '#666666' },
] as const;
/** A logarithmic axis has no 0; half a millisecond is half of what a clock of whole milliseconds shows. */
const FLOOR_MS = 0.5;

interface Point {
  readonly rate: number;
  readonly ms: number;
  readonly line: string;
}

/** Null when no run went through several rates. */
export async function drawLateness(results: BenchResults): Promise<string | null> {
  const merged = rateSeries(results);
  if (merged === null) return null;
  const points = LINES.flatMap(({ key, label }) =>
    merged.points.flatMap(({ x, runs }): Point[] => {
      const summary = summarize(runs, key);
      return summary === null ? [] : [{ rate: x, ms: Math.max(FLOOR_MS, summary.median), line: label }];
    }),
  );
  const view = new View(parse(specOf(points, merged.series.xLabel)), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

/** https://vega.github.io/vega/docs/specification/ */
function specOf(points: readonly Point[], xLabel: string): Spec {
  const series = { x: { scale: 'x', field: 'rate' }, y: { scale: 'y', field: 'ms' } };
  const color = { scale: 'color', field: 'line' };
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: 'Lateness of starts over the rate of firings',
    width: 640,
    height: 320,
    padding: 16,
    background: 'white',
    data: [{ name: 'points', values: [...points] }],
    scales: [
      {
        name: 'x',
        type: 'linear',
        range: 'width',
        zero: true,
        nice: true,
        domain: { data: 'points', field: 'rate' },
      },
      { name: 'y', type: 'log', range: 'height', nice: true, domain: { data: 'points', field: 'ms' } },
      {
        name: 'color',
        type: 'ordinal',
        domain: LINES.map(({ label }) => label),
        range: LINES.map((line) => line.color),
      },
    ],
    axes: [
      { scale: 'x', orient: 'bottom', title: xLabel, grid: true, format: ',.0f' },
      {
        scale: 'y',
        orient: 'left',
        title: 'lateness of the start, ms',
        grid: true,
        format: ',',
        tickCount: 6,
      },
    ],
    legends: [{ stroke: 'color', symbolType: 'stroke', orient: 'top-left' }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'byLine', data: 'points', groupby: 'line' } },
        marks: [
          {
            type: 'line',
            from: { data: 'byLine' },
            encode: { enter: { ...series, stroke: color, strokeWidth: { value: 2 } } },
          },
          {
            type: 'symbol',
            from: { data: 'byLine' },
            encode: { enter: { ...series, fill: color, size: { value: 40 } } },
          },
        ],
      },
    ],
  };
}
