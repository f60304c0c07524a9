/** Lateness and outcomes of the last hour, drawn by uPlot. Loaded after the rest of the overview. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Stats } from '../../api/types.js';
import { durationText, minuteText, shownZone } from '../../format/time.js';
import { plural } from '../../format/words.js';
import { OUTCOME_LOOKS, OUTCOMES_BY_WEIGHT } from '../../ui/outcome.js';
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
        valueText={(value) => durationText(value)}
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
      />
    </Panel>
  );
}

function color(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function Chart({
  label,
  data,
  series,
  valueText,
}: {
  label: string;
  data: (number | null)[][];
  series: () => uPlot.Series[];
  valueText: (value: number) => string;
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

  return <div class="chart" ref={holder} role="img" aria-label={label} />;
}
