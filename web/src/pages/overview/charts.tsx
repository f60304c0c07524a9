/** Lateness and outcomes of the last hour, drawn by uPlot. Loaded after the rest of the overview. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Stats } from '../../api/types.js';
import { coarseText, durationText, minuteText, shownZone } from '../../format/time.js';
import { countText, plural } from '../../format/words.js';
import { ChartPoints, PointTable, type Point } from '../../ui/chart-points.js';
import { OUTCOME_LOOKS, OUTCOME_WORDS, OUTCOMES_BY_WEIGHT, outcomeValues } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { theme } from '../../ui/theme.js';

const HEIGHT = 150;

export default function Charts({ stats }: { stats: Stats }) {
  return (
    <div class="two">
      <Lateness stats={stats} />
      <Outcomes stats={stats} />
    </div>
  );
}

function Lateness({ stats }: { stats: Stats }) {
  const { latenessMs } = stats.totals;
  const x = stats.buckets.map(({ from }) => Date.parse(from) / 1_000);
  const line = (pick: 'p50' | 'p99') => stats.buckets.map((bucket) => bucket.latenessMs?.[pick] ?? null);
  const text =
    latenessMs === null
      ? 'nothing started'
      : `median ${durationText(latenessMs.p50)}, 99 % within ${durationText(latenessMs.p99)}, most ${durationText(latenessMs.max)}`;
  return (
    <Panel title="Lateness" aside={<span class="muted">{text}</span>}>
      <Chart
        label={`Lateness of the last hour: ${text}`}
        data={[x, line('p99'), line('p50')]}
        series={() => [
          {
            label: '99 %',
            stroke: color('--line-strong'),
            width: 1.5,
            points: { show: false },
            spanGaps: true,
          },
          { label: 'median', stroke: color('--text'), width: 1.5, points: { show: false }, spanGaps: true },
        ]}
        valueText={(value) => (value < 10_000 ? durationText(value) : coarseText(value))}
        points={stats.buckets.map((bucket) => ({
          title: stretchText(bucket.from, stats.bucketMs),
          values: latenessValues(bucket.latenessMs),
        }))}
      />
    </Panel>
  );
}

function Outcomes({ stats }: { stats: Stats }) {
  const { outcomes } = stats.totals;
  const counts = OUTCOMES_BY_WEIGHT.map((outcome) => outcomes[outcome] ?? 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const words = [...OUTCOMES_BY_WEIGHT]
    .reverse()
    .filter((outcome) => outcomes[outcome])
    .map((outcome) => `${outcomes[outcome]} ${OUTCOME_LOOKS[outcome].word}`)
    .join(', ');
  const x = stats.buckets.map(({ from }) => Date.parse(from) / 1_000);
  // Stacked: each line is the sum of what lies below it, the largest drawn first.
  const present = OUTCOMES_BY_WEIGHT.filter((outcome) => outcomes[outcome]);
  const stacked = present.map((_, index) =>
    stats.buckets.map((bucket) =>
      present.slice(0, index + 1).reduce((sum, outcome) => sum + (bucket.outcomes[outcome] ?? 0), 0),
    ),
  );
  const bars = uPlot.paths.bars!({ size: [0.7, 20] });
  return (
    <Panel title="Outcomes" aside={<span class="muted">{words || 'no runs'}</span>}>
      <Chart
        label={`Outcomes of the last hour: ${plural(all, 'run')}. ${words}`}
        data={[x, ...stacked.reverse()]}
        series={() =>
          [...present].reverse().map((outcome) => ({
            label: OUTCOME_LOOKS[outcome].word,
            fill: color(`--${OUTCOME_LOOKS[outcome].tone}-fill`),
            width: 0,
            paths: bars,
            points: { show: false },
          }))
        }
        valueText={(value) => (Number.isInteger(value) ? String(value) : '')}
        points={stats.buckets.map((bucket) => ({
          title: stretchText(bucket.from, stats.bucketMs),
          values: outcomeValues(bucket.outcomes),
        }))}
      />
    </Panel>
  );
}

/** `12:41–12:42` */
function stretchText(from: string, lengthMs: number): string {
  const fromMs = Date.parse(from);
  const zone = shownZone();
  return `${minuteText(fromMs, zone)}–${minuteText(fromMs + lengthMs, zone)}`;
}

function latenessValues(lateness: Stats['totals']['latenessMs']): [string, string][] {
  if (lateness === null) return [];
  return [
    ['median', durationText(lateness.p50)],
    ['95 %', durationText(lateness.p95)],
    ['99 %', durationText(lateness.p99)],
    ['most', durationText(lateness.max)],
    ['runs', countText(lateness.count)],
  ];
}

function color(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function Chart({
  label,
  data,
  series,
  valueText,
  points,
}: {
  label: string;
  data: (number | null)[][];
  series: () => uPlot.Series[];
  valueText: (value: number) => string;
  points: readonly Point[];
}) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const shown = theme.value;
  // A chart is made anew only when its colours or its lines change; new numbers are put into it.
  const shape = `${shown} ${data.length}`;

  useEffect(() => {
    const element = holder.current!;
    const axis = {
      stroke: color('--text-muted'),
      grid: { stroke: color('--line-soft'), width: 1 },
      ticks: { show: false },
      font: `11px ${getComputedStyle(element).fontFamily}`,
    };
    const plot = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] } },
        series: [{}, ...series()],
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 28,
            values: (_, ticks) => ticks.map((at) => minuteText(at * 1_000, shownZone())),
            incrs: [300, 600, 900, 1_800, 3_600],
            space: 60,
          },
          { ...axis, size: 58, values: (_, ticks) => ticks.map(valueText) },
        ],
      },
      data as uPlot.AlignedData,
      element,
    );
    chart.current = plot;
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(120, element.clientWidth), height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [shape]);

  useEffect(() => chart.current?.setData(data as uPlot.AlignedData), [data]);

  // The place of the area within the drawing, beside the axis.
  const areaLeft = (): number =>
    (chart.current?.over.getBoundingClientRect().left ?? 0) -
    (holder.current?.getBoundingClientRect().left ?? 0);
  return (
    <>
      <div class="chart">
        <ChartPoints
          label={label}
          points={points}
          start={points.length - 1}
          placeOf={(index) => areaLeft() + (chart.current?.valToPos(Number(data[0]![index] ?? 0), 'x') ?? 0)}
          indexAt={(px) => chart.current?.posToIdx(px - areaLeft()) ?? 0}
        >
          <div ref={holder} role="img" aria-label={label} />
        </ChartPoints>
      </div>
      <PointTable label={label} points={points} order={OUTCOME_WORDS} />
    </>
  );
}
