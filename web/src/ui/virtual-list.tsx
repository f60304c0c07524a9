/**
 * A list of which only the rows near the window are elements, however many there are. All rows have one height, so the
 * place of each is known without drawing it.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows that are drawn above and below what is visible. */
const SPARE_ROWS = 12;

export interface Visible {
  readonly first: number;
  /** Not included. */
  readonly end: number;
}

export function VirtualList({
  count,
  rowHeight,
  label,
  onVisible,
  row,
}: {
  count: number;
  rowHeight: number;
  label: string;
  onVisible?: (visible: Visible) => void;
  row: (index: number) => ComponentChildren;
}) {
  const list = useRef<HTMLUListElement>(null);
  const [visible, setVisible] = useState<Visible>({ first: 0, end: 40 });

  useLayoutEffect(() => {
    let frame = 0;
    const measure = (): void => {
      frame = 0;
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - SPARE_ROWS);
      const end = Math.max(first, Math.ceil((window.innerHeight - top) / rowHeight) + SPARE_ROWS);
      setVisible((before) => (before.first === first && before.end === end ? before : { first, end }));
    };
    const soon = (): void => {
      if (frame === 0) frame = window.requestAnimationFrame(measure);
    };
    measure();
    window.addEventListener('scroll', soon, { passive: true });
    window.addEventListener('resize', soon);
    return () => {
      window.cancelAnimationFrame(frame);
      window.removeEventListener('scroll', soon);
      window.removeEventListener('resize', soon);
    };
  }, [rowHeight]);

  const first = Math.min(visible.first, count);
  const end = Math.min(visible.end, count);
  useEffect(() => onVisible?.({ first, end }), [first, end, count]);

  const rows: ComponentChildren[] = [];
  for (let index = first; index < end; index += 1) {
    rows.push(
      <li
        key={index}
        class="virtual-row"
        aria-setsize={count}
        aria-posinset={index + 1}
        style={{ transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` }}
      >
        {row(index)}
      </li>,
    );
  }
  return (
    <ul ref={list} class="virtual" aria-label={label} style={{ height: `${count * rowHeight}px` }}>
      {rows}
    </ul>
  );
}

/** Whether the window is as narrow as a phone's; follows it. */
export function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => window.matchMedia(NARROW).matches);
  useEffect(() => {
    const media = window.matchMedia(NARROW);
    const follow = (): void => setNarrow(media.matches);
    media.addEventListener('change', follow);
    return () => media.removeEventListener('change', follow);
  }, []);
  return narrow;
}

/** The same in styles. */
const NARROW = '(max-width: 720px)';
