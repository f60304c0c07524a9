import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.js';

/**
 * Whether the promise, which waits for the end of a pipe, resolves within the limit. What had ended in time counts also when
 * it could not be heard in time: after a turn of the event loop that took longer than the limit, timers come first, then
 * the pipe is read, and only at the end of that turn it is closed.
 */
export function endsWithin(clock: Clock, limitMs: number, promise: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(limitMs, () => {
      void nextTurn()
        .then(() => nextTurn())
        .then(() => resolve(false));
    });
    void promise.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
