import type { FakeClock } from './fake-clock.js';

/**
 * Advances `clock`, timer by timer, until `condition` holds; the clock then stands at the moment at which it became
 * true. Throws when it does not within `withinMs` (default 60 s) of fake time, or when no timer is left that could
 * make it true; the clock then stands where it gave up.
 *
 * @param what names what was awaited, for the error
 */
export async function waitFor(
  clock: FakeClock,
  condition: () => boolean,
  { withinMs = 60_000, what = 'the condition' }: { withinMs?: number; what?: string } = {},
): Promise<void> {
  const startMs = clock.monotonicMs();
  await clock.settle();
  while (!condition()) {
    const remainingMs = withinMs - (clock.monotonicMs() - startMs);
    if (await clock.step(remainingMs)) continue;
    const passedMs = clock.monotonicMs() - startMs;
    const reason = clock.pendingTimers === 0 ? 'and no timer is left' : `nor within ${withinMs} ms`;
    throw new Error(`${what} did not come about in ${passedMs} ms of fake time, ${reason}`);
  }
}
