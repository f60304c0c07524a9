import { fullText, momentText, relativeText, shownZone } from '../format/time.js';
import { now } from '../live/now.js';

/** A moment in the zone that the viewer chose; all of it on hover. */
export function Moment({
  at,
  zone,
  full = false,
}: {
  at: string | null;
  zone?: string | null;
  full?: boolean;
}) {
  if (at === null) return <span class="muted">–</span>;
  const ms = Date.parse(at);
  const shown = shownZone(zone);
  const all = fullText(ms, shown);
  return (
    <time dateTime={at} title={all} class={full ? '' : 'nowrap'}>
      {full ? all : momentText(ms, shown, now.value)}
    </time>
  );
}

/** `in 23 s`, counting. */
export function Relative({ at }: { at: string | null }) {
  if (at === null) return <span class="muted">–</span>;
  return <span class="nowrap">{relativeText(Date.parse(at), now.value)}</span>;
}
