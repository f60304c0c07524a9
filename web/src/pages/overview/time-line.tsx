/**
 * The last hour and the next one, a bar a minute: what ended, by its due time, above what it became; then outlines of
 * what comes. The line in the middle is now.
 */
import { useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import type { OutcomeCounts, Timeline, TimelineBucket } from '../../api/types.js';
import { runsHref } from '../../format/links.js';
import { minuteText, shownZone } from '../../format/time.js';
import { plural } from '../../format/words.js';
import { now } from '../../live/now.js';
import { OUTCOME_LOOKS, OUTCOMES_BY_WEIGHT, type Tone } from '../../ui/outcome.js';

const HEIGHT = 88;
const WIDTH = 1_000;
/** A bar of one firing can still be seen beside one of thousands. */
const LEAST = 7;

/** The tones of a bar from the bottom up; the worst is on top, where it is seen. */
const TONES: readonly Tone[] = ['ok', 'skipped', 'late', 'lost', 'failed'];

export function TimeLine({ timeline }: { timeline: Timeline }) {
  const [, navigate] = useLocation();
  const [chosen, setChosen] = useState<number | null>(null);
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
  const shown = chosen === null ? null : (buckets[chosen] ?? null);

  return (
    <figure class="time-line">
      <figcaption>
        {shown ? <BucketText bucket={shown} bucketMs={bucketMs} zone={zone} /> : <Sums timeline={timeline} />}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={summary(timeline)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setChosen(Math.floor(((event.clientX - box.left) / box.width) * buckets.length));
        }}
        onPointerLeave={() => setChosen(null)}
        onClick={() => {
          if (!shown || Date.parse(shown.from) > now.value) return;
          const from = Date.parse(shown.from);
          navigate(runsHref({ from: shown.from, to: new Date(from + bucketMs).toISOString(), state: 'any' }));
        }}
      >
        {[0.25, 0.5, 0.75].map((share) => (
          <line key={share} class="time-line-hour" x1={share * WIDTH} x2={share * WIDTH} y1="0" y2={HEIGHT} />
        ))}
        {shown && (
          <rect class="time-line-chosen" x={chosen! * barWidth} y="0" width={barWidth} height={HEIGHT} />
        )}
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
      <div class="time-line-hours" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share}>{minuteText(fromMs + share * (toMs - fromMs), zone)}</span>
        ))}
      </div>
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

function BucketText({ bucket, bucketMs, zone }: { bucket: TimelineBucket; bucketMs: number; zone: string }) {
  const from = Date.parse(bucket.from);
  const parts = partsOf(bucket);
  return (
    <span>
      <span class="strong">
        {minuteText(from, zone)}–{minuteText(from + bucketMs, zone)}
      </span>{' '}
      {parts.length === 0 ? 'nothing' : parts.join(', ')}
    </span>
  );
}

function partsOf(bucket: TimelineBucket): string[] {
  return [
    ...[...OUTCOMES_BY_WEIGHT]
      .reverse()
      .filter((outcome) => bucket.outcomes[outcome])
      .map((outcome) => `${bucket.outcomes[outcome]} ${OUTCOME_LOOKS[outcome].word}`),
    ...(bucket.running > 0 ? [`${bucket.running} running`] : []),
    ...(bucket.coming > 0 ? [`${bucket.coming} to come`] : []),
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
  const words = [...OUTCOMES_BY_WEIGHT]
    .reverse()
    .filter((outcome) => outcomes[outcome])
    .map((outcome) => `${outcomes[outcome]} ${OUTCOME_LOOKS[outcome].word}`)
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
