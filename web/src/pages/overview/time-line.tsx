/**
 * The last hour and the next one, a bar a minute: what ended, by its due time, above what it became; then outlines of
 * what comes. The line in the middle is now.
 */
import { Link, useLocation } from 'wouter-preact';
import type { OutcomeCounts, Timeline, TimelineBucket } from '../../api/types.js';
import { runsHref } from '../../format/links.js';
import { minuteText, shownZone } from '../../format/time.js';
import { countText, plural } from '../../format/words.js';
import { now } from '../../live/now.js';
import { ChartPoints, PointTable } from '../../ui/chart-points.js';
import {
  OUTCOME_LOOKS,
  OUTCOME_WORDS,
  OUTCOMES_BY_WEIGHT,
  outcomeValues,
  type Tone,
} from '../../ui/outcome.js';

const COLUMNS = [...OUTCOME_WORDS, 'running', 'to come'];
const HEIGHT = 88;
const WIDTH = 1_000;
/** A bar of one firing can still be seen beside one of thousands. */
const LEAST = 7;

/** The tones of a bar from the bottom up; the worst is on top, where it is seen. */
const TONES: readonly Tone[] = ['ok', 'skipped', 'late', 'lost', 'failed'];

export function TimeLine({ timeline }: { timeline: Timeline }) {
  const [, navigate] = useLocation();
  const fromMs = Date.parse(timeline.from);
  const toMs = Date.parse(timeline.to);
  const { buckets, bucketMs } = timeline;
  const zone = shownZone();
  const x = (ms: number): number => ((ms - fromMs) / (toMs - fromMs)) * WIDTH;
  const barWidth = WIDTH / Math.max(1, buckets.length);
  const most = Math.max(1, ...buckets.map((bucket) => total(bucket)));
  /** Square roots: few firings beside thousands are seen, and more is still higher. */
  const height = (count: number): number =>
    count === 0 ? 0 : LEAST + (HEIGHT - LEAST) * Math.sqrt(count / most) * 0.92;
  const nowX = x(now.value);
  const points = buckets.map((bucket) => ({
    title: `${minuteText(Date.parse(bucket.from), zone)}–${minuteText(Date.parse(bucket.from) + bucketMs, zone)}`,
    values: valuesOf(bucket),
  }));
  const isPast = (index: number): boolean => Date.parse(buckets[index]?.from ?? '') <= now.value;
  const hrefOf = (index: number): string => {
    const from = buckets[index]!.from;
    return runsHref({ from, to: new Date(Date.parse(from) + bucketMs).toISOString(), state: 'any' });
  };

  return (
    <figure class="time-line">
      <figcaption>
        <Sums timeline={timeline} />
      </figcaption>
      <ChartPoints
        label="Time line, minute by minute"
        points={points}
        start={Math.floor((nowX / WIDTH) * buckets.length)}
        placeOf={(index, width) => ((index + 0.5) / buckets.length) * width}
        indexAt={(px, width) => Math.floor((px / width) * buckets.length)}
        onOpen={(index) => {
          if (isPast(index)) navigate(hrefOf(index));
        }}
      >
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={summary(timeline)}
        >
          {[0.25, 0.5, 0.75].map((share) => (
            <line
              key={share}
              class="time-line-hour"
              x1={share * WIDTH}
              x2={share * WIDTH}
              y1="0"
              y2={HEIGHT}
            />
          ))}
          {buckets.map((bucket, index) => (
            <Bar
              key={bucket.from}
              bucket={bucket}
              x={index * barWidth + barWidth * 0.16}
              width={barWidth * 0.68}
              height={height}
            />
          ))}
          <line class="time-line-now" x1={nowX} x2={nowX} y1="0" y2={HEIGHT} />
        </svg>
      </ChartPoints>
      <div class="time-line-hours" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share}>{minuteText(fromMs + share * (toMs - fromMs), zone)}</span>
        ))}
      </div>
      <PointTable
        label="Runs and due times by minute"
        points={points}
        order={COLUMNS}
        linkOf={(index, text) => (isPast(index) ? <Link href={hrefOf(index)}>{text}</Link> : text)}
      />
    </figure>
  );
}

function Bar({
  bucket,
  x,
  width,
  height,
}: {
  bucket: TimelineBucket;
  x: number;
  width: number;
  height: (count: number) => number;
}) {
  const ended = sum(bucket.outcomes);
  const all = total(bucket);
  if (all === 0) return null;
  const full = height(all);
  const tones = byTone(bucket.outcomes);
  const parts = [
    ...TONES.map((tone) => [tone, tones[tone] ?? 0] as const),
    ['running', bucket.running] as const,
  ].filter(([, count]) => count > 0);
  const endedFull = full * ((ended + bucket.running) / all);
  // Each part can be seen, however small its share.
  const least = Math.min(4, endedFull / Math.max(1, parts.length));
  const free = endedFull - least * parts.length;
  let y = HEIGHT;
  return (
    <>
      {parts.map(([tone, count]) => {
        const part = least + free * (count / (ended + bucket.running));
        y -= part;
        return <rect key={tone} class={`fill-${tone}`} x={x} y={y} width={width} height={part} />;
      })}
      {bucket.coming > 0 && (
        <rect
          class="fill-coming"
          x={x}
          y={HEIGHT - full}
          width={width}
          height={Math.max(0, full - endedFull)}
        />
      )}
    </>
  );
}

function valuesOf(bucket: TimelineBucket): [string, string][] {
  return [
    ...outcomeValues(bucket.outcomes),
    ...(bucket.running > 0 ? [['running', countText(bucket.running)] as [string, string]] : []),
    ...(bucket.coming > 0 ? [['to come', countText(bucket.coming)] as [string, string]] : []),
  ];
}

/** What the hour that is over brought, and what the next one will. */
function Sums({ timeline }: { timeline: Timeline }) {
  const { ended, coming, words } = sums(timeline);
  return (
    <>
      <span>
        <span class="strong">Last hour</span> {plural(ended, 'run')}
        {words !== '' && <span class="muted"> {words}</span>}
      </span>
      <span>
        <span class="strong">Next hour</span> {plural(coming, 'due time')}
      </span>
    </>
  );
}

function summary(timeline: Timeline): string {
  const { ended, running, coming, words } = sums(timeline);
  return `Last hour: ${plural(ended, 'run')}${words === '' ? '' : ` (${words})`}. Running: ${running}. Next hour: ${plural(coming, 'due time')}.`;
}

function sums(timeline: Timeline): { ended: number; running: number; coming: number; words: string } {
  const found = { ended: 0, running: 0, coming: 0 };
  const outcomes: OutcomeCounts = {};
  for (const bucket of timeline.buckets) {
    found.ended += sum(bucket.outcomes);
    found.running += bucket.running;
    found.coming += bucket.coming;
    for (const outcome of OUTCOMES_BY_WEIGHT)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + (bucket.outcomes[outcome] ?? 0);
  }
  const words = outcomeValues(outcomes)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
  return { ...found, words };
}

function byTone(outcomes: OutcomeCounts): Partial<Record<Tone, number>> {
  const tones: Partial<Record<Tone, number>> = {};
  for (const outcome of OUTCOMES_BY_WEIGHT) {
    const { tone } = OUTCOME_LOOKS[outcome];
    tones[tone] = (tones[tone] ?? 0) + (outcomes[outcome] ?? 0);
  }
  return tones;
}

function sum(outcomes: OutcomeCounts): number {
  return Object.values(outcomes).reduce((all, count) => all + (count ?? 0), 0);
}

function total(bucket: TimelineBucket): number {
  return sum(bucket.outcomes) + bucket.running + bucket.coming;
}
