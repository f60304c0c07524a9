/** Small drawings in the colour of their text. They are never alone: a word stands beside each, or is its label. */
const PATHS = {
  check: 'M3.5 8.5l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  clock: 'M8 4.5V8l2.2 1.6M8 14A6 6 0 108 2a6 6 0 000 12z',
  stop: 'M4.5 4.5h7v7h-7z',
  skip: 'M3 10.5c1-4 6-5.5 9-2M12.5 4.5v4h-4',
  hole: 'M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11z',
  lost: 'M5.8 6.1a2.3 2.3 0 114 1.6c-.8.8-1.8 1.2-1.8 2.4M8 12.6v.2',
  ban: 'M8 13.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM4.2 4.2l7.6 7.6',
  run: 'M5 3.5l7 4.5-7 4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  star: 'M8 2.2l1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z',
  search: 'M7 11.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9zM10.5 10.5l3 3',
  warning: 'M8 2.5l6 11H2zM8 6.5v3M8 11.6v.2',
  board: 'M2.5 3.5h11v9h-11zM2.5 8h11',
  list: 'M2.5 4h11M2.5 8h11M2.5 12h11',
  history: 'M3 8a5 5 0 105-5 5 5 0 00-4 2M3.5 2.5v3h3M8 5.5V8l1.7 1.2',
  server: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1',
  more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  next: 'M6.5 3.5L11 8l-4.5 4.5',
  download: 'M8 2.5v7.5M4.5 7L8 10.5 11.5 7M3 13.5h10',
  down: 'M3.5 6.5L8 11l4.5-4.5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, label }: { name: IconName; label?: string }) {
  return (
    <svg
      class={`icon icon-${name}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      {...(label === undefined ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': label })}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
