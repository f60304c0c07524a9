import type { ServerResponse } from 'node:http';

/**
 * Calls back, once, when an answer is over, be it sent or given up. Whoever asks may leave while we still look up who he is: then
 * its `close` has been told already, and what waits for it would wait for ever.
 */
export function whenGone(raw: ServerResponse, callback: () => void): void {
  if (raw.destroyed) callback();
  else raw.once('close', callback);
}
