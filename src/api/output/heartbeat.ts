import type { Clock } from '../../clock.js';

/** Passes everything on, and `beat` whenever nothing has come for so long. */
export async function* withHeartbeat<T>(
  source: AsyncGenerator<T>,
  clock: Clock,
  everyMs: number,
  beat: T,
): AsyncGenerator<T> {
  try {
    for (let next = source.next(); ;) {
      const pause = pauseOf(clock, everyMs);
      const first = await Promise.race([next, pause.over]).finally(() => pause.cancel());
      if (first === null) yield beat;
      else if (first.done) return;
      else {
        yield first.value;
        next = source.next();
      }
    }
  } finally {
    await source.return(undefined);
  }
}

function pauseOf(clock: Clock, lengthMs: number): { over: Promise<null>; cancel: () => void } {
  let cancel = (): void => undefined;
  const over = new Promise<null>((resolve) => {
    const timer = clock.setTimer(lengthMs, () => resolve(null));
    cancel = () => timer.cancel();
  });
  return { over, cancel };
}
