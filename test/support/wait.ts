import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Polls in real time until `condition` gives something truthy, and resolves with that. What it throws counts as "not
 * yet" and is named in the error if the time runs out. Only for what gives no signal that could be awaited.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, what }: { timeoutMs?: number; what: string },
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: string;
    let cause: unknown;
    try {
      const value = await condition();
      if (value) return value;
      last = `last value: ${inspect(value)}`;
    } catch (error) {
      cause = error;
      last = `last error: ${error instanceof Error ? error.message : inspect(error)}`;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}; ${last}`, { cause });
    }
    await sleep(POLL_MS);
  }
}
