/**
 * The numbers of a drawing, point by point: beside the mouse or a finger, with the arrow keys, said by screen readers, and as
 * a table. It lies over the drawing, which itself is only seen.
 */
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

export interface Point {
  /** Its stretch of time, such as `12:41–12:42`. */
  readonly title: string;
  /** Names and values in the order in which they are said; none: nothing happened. */
  readonly values: readonly (readonly [string, string])[];
}

export interface ChartPointsProps {
  readonly label: string;
  readonly points: readonly Point[];
  /** Where the keys begin. */
  readonly start: number;
  /** Px from the left of the drawing. */
  readonly placeOf: (index: number, width: number) => number;
  readonly indexAt: (px: number, width: number) => number;
  readonly onOpen?: (index: number) => void;
  /** The drawing. */
  readonly children: ComponentChildren;
}

const BESIDE_PX = 12;
const PAGE = 10;
const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -PAGE,
  PageUp: PAGE,
  Home: -Infinity,
  End: Infinity,
};

export function ChartPoints({ label, points, start, placeOf, indexAt, onOpen, children }: ChartPointsProps) {
  const cover = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const last = points.length - 1;
  const within = (index: number): number => Math.max(0, Math.min(last, index));
  const index = within(chosen ?? start);
  const point = points[index];
  const width = cover.current?.clientWidth ?? 0;
  const px = chosen === null ? 0 : placeOf(index, width);
  const choose = (event: PointerEvent): void => {
    const box = cover.current!.getBoundingClientRect();
    setChosen(within(indexAt(event.clientX - box.left, box.width)));
  };
  return (
    <div class="chart-points">
      {children}
      <div
        ref={cover}
        class="chart-cover"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={index}
        aria-valuetext={point ? pointText(point) : 'nothing'}
        onPointerMove={choose}
        onPointerDown={choose}
        onPointerLeave={() => setChosen(document.activeElement === cover.current ? index : null)}
        onFocus={() => setChosen((before) => before ?? within(start))}
        onBlur={() => setChosen(null)}
        onClick={() => onOpen?.(index)}
        onKeyDown={(event) => {
          const step = STEPS[event.key];
          if (step !== undefined) {
            event.preventDefault();
            setChosen(within(index + step));
          } else if (event.key === 'Enter' && onOpen) onOpen(index);
          else if (event.key === 'Escape') setChosen(null);
        }}
      >
        {chosen !== null && point && (
          <>
            <span class="chart-line" style={{ left: `${px}px` }} />
            <div
              class="chart-tip"
              style={
                px < width / 2 ? { left: `${px + BESIDE_PX}px` } : { right: `${width - px + BESIDE_PX}px` }
              }
            >
              <p class="strong">{point.title}</p>
              {point.values.length === 0 ? (
                <p class="muted">nothing</p>
              ) : (
                <dl>
                  {point.values.map(([name, value]) => (
                    <div key={name}>
                      <dt>{name}</dt>
                      <dd class="mono">{value}</dd>
                    </div>
                  ))}
                </dl>
              )}
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function pointText({ title, values }: Point): string {
  const said = values.map(([name, value]) => `${name} ${value}`).join(', ');
  return `${title}: ${said === '' ? 'nothing' : said}`;
}

/** The same numbers in rows, where anything happened; drawn when somebody opens it. */
export function PointTable({
  label,
  points,
  order = [],
  linkOf,
}: {
  label: string;
  points: readonly Point[];
  /** Of the columns; without it they come as they are met. */
  order?: readonly string[];
  linkOf?: (index: number, text: string) => ComponentChildren;
}) {
  const [isOpen, setOpen] = useState(false);
  const columns = [...new Set(points.flatMap(({ values }) => values.map(([name]) => name)))].sort(
    (one, other) => order.indexOf(one) - order.indexOf(other),
  );
  return (
    <details class="numbers" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Numbers<span class="visually-hidden">: {label}</span>
      </summary>
      {isOpen && (
        <div class="numbers-scroll" tabIndex={0} role="group" aria-label={label}>
          <table>
            <caption class="visually-hidden">{label}</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {points.map(({ title, values }, index) =>
                values.length === 0 ? null : (
                  <tr key={title}>
                    <th scope="row">{linkOf ? linkOf(index, title) : title}</th>
                    {columns.map((name) => (
                      <td key={name} class="mono">
                        {values.find(([own]) => own === name)?.[1] ?? '–'}
                      </td>
                    ))}
                  </tr>
                ),
              )}
              {columns.length === 0 && (
                <tr>
                  <td>Nothing happened.</td>
                </tr>
              )}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
