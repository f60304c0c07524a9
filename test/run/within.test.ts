import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { endsWithin } from '../../src/run/within.js';

const stateOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '')[0]!;

describe('endsWithin', () => {
  it('hears of an end that came in time while the event loop was held up for longer than the limit', async () => {
    const child = spawn('/bin/true', { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.resume();
    const ended = once(child.stdout, 'close').then(() => undefined);
    const limitMs = 5;
    const result = endsWithin(systemClock, limitMs, ended);
    const heldUpUntilMs = performance.now() + 10 * limitMs;
    while (stateOf(child.pid!) !== 'Z' || performance.now() < heldUpUntilMs);
    expect(await result).toBe(true);
  });

  it('says so when the limit passes', async () => {
    expect(await endsWithin(systemClock, 1, new Promise(() => undefined))).toBe(false);
  });
});
