import type { Clock } from '../../clock.js';

/** Many scrapers cost no more than one: what is younger than this is given out again. */
const FRESH_FOR_MS = 1_000;

/** The text of the metrics, made at most once a second, however often somebody asks. Rejects with what `make` rejects with. */
export function sharedText(
  make: () => Promise<string>,
  clock: Pick<Clock, 'monotonicMs'>,
): () => Promise<string> {
  let made: Promise<string> | null = null;
  let madeAtMs = -Infinity;
  return () => {
    const nowMs = clock.monotonicMs();
    if (made === null || nowMs - madeAtMs >= FRESH_FOR_MS) {
      madeAtMs = nowMs;
      made = make();
      // The next one who asks tries again.
      made.catch(() => (made = null));
    }
    return made;
  };
}
