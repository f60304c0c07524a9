/** A square a day, weeks side by side, in the tone of the worst that happened. The numbers are said for each day. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { JobHistory, Outcome } from '../../api/types.js';
import { durationText } from '../../format/time.js';
import { plural } from '../../format/words.js';
import { OUTCOME_LOOKS, OUTCOMES_BY_WEIGHT } from '../../ui/outcome.js';

type Day = JobHistory['days'][number];

const DAY_MS = 86_400_000;
const CELL = 14;
const GAP = 3;
const WEEKS = 52;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function HeatMap({ history, today }: { history: JobHistory; today: string }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  // Today is what matters, where not all fits.
  useLayoutEffect(() => box.current?.scrollTo({ left: box.current.scrollWidth }), []);
  const byDate = new Map(history.days.map((day) => [day.date, day]));
  const last = Date.parse(today);
  // Monday is the first day of a week.
  const weekday = (new Date(last).getUTCDay() + 6) % 7;
  const first = last - weekday * DAY_MS - (WEEKS - 1) * 7 * DAY_MS;
  const dates: string[] = [];
  for (let at = first; at <= last; at += DAY_MS) dates.push(new Date(at).toISOString().slice(0, 10));
  const step = CELL + GAP;
  const shown = chosen ?? today;
  return (
    <figure class="heat">
      <div ref={box} class="heat-scroll" tabIndex={0} role="group" aria-label="Runs by day">
        <svg
          width={WEEKS * step}
          height={7 * step + 16}
          role="img"
          aria-label={`Runs by day: ${plural(history.days.length, 'day')} with runs`}
        >
          {dates.map((date, index) => {
            const day = byDate.get(date);
            const week = Math.floor(index / 7);
            const monthBegins = date.endsWith('-01');
            return (
              <g key={date} onPointerEnter={() => setChosen(date)} onPointerLeave={() => setChosen(null)}>
                {monthBegins && (
                  <text class="heat-month" x={week * step} y={7 * step + 12}>
                    {MONTHS[Number(date.slice(5, 7)) - 1]}
                  </text>
                )}
                <rect
                  class={`heat-day heat-${day ? toneOf(day) : 'none'}`}
                  x={week * step}
                  y={(index % 7) * step}
                  width={CELL}
                  height={CELL}
                  rx="3"
                />
                {day && isBad(day) && (
                  <circle
                    class="heat-dot"
                    cx={week * step + CELL / 2}
                    cy={(index % 7) * step + CELL / 2}
                    r="2.5"
                  />
                )}
              </g>
            );
          })}
        </svg>
      </div>
      <figcaption>
        <span class="strong">{shown}</span> {dayText(byDate.get(shown))}
      </figcaption>
      <ul class="visually-hidden">
        {history.days.map((day) => (
          <li key={day.date}>
            {day.date}: {dayText(day)}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function worst(day: Day): Outcome | null {
  return [...OUTCOMES_BY_WEIGHT].reverse().find((outcome) => day.outcomes[outcome]) ?? null;
}

function toneOf(day: Day): string {
  const outcome = worst(day);
  return outcome === null ? 'none' : OUTCOME_LOOKS[outcome].tone;
}

function isBad(day: Day): boolean {
  return ['failed', 'lost'].includes(toneOf(day));
}

function dayText(day: Day | undefined): string {
  if (!day) return 'no runs';
  const counts = [...OUTCOMES_BY_WEIGHT]
    .reverse()
    .filter((outcome) => day.outcomes[outcome])
    .map((outcome) => `${day.outcomes[outcome]} ${OUTCOME_LOOKS[outcome].word}`)
    .join(', ');
  if (day.durationMs === null) return counts;
  return `${counts} · median ${durationText(day.durationMs.median)}, longest ${durationText(day.durationMs.max)}`;
}
