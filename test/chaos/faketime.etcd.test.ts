import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { movableClock, type MovableClock } from '../../chaos/faketime.js';
import { childEnvironment } from '../../src/run/child-environment.js';

const MINUTES_5 = 300_000;
/** Between two looks at two clocks on a busy machine; far less than any offset. */
const SLACK_MS = 60_000;

/**
 * For each line that holds a number sets a timer of so many ms; at the next line says, when the timer has fired, what its
 * clocks showed, and what a command saw with its environment and with the one that a worker gives to commands.
 */
const PROGRAM = `
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
const commandEnv = JSON.parse(process.argv[1]);
const dateIn = (env) => Number(execFileSync('date', ['+%s'], { env })) * 1000;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (;;) {
  const { value, done } = await lines.next();
  if (done) break;
  const before = performance.now();
  const wallBefore = Date.now();
  const timer = new Promise((resolve) => setTimeout(resolve, Number(value)));
  console.log('set');
  await lines.next();
  await timer;
  console.log(JSON.stringify({
    wall: Date.now(), wallPassed: Date.now() - wallBefore, passed: performance.now() - before,
    inherited: dateIn(process.env), command: dateIn(commandEnv),
  }));
}`;

interface Look {
  wall: number;
  /** Of its wall clock and of its monotonic clock, while a timer ran. */
  wallPassed: number;
  passed: number;
  inherited: number;
  command: number;
}

/** `during` happens while the timer runs. */
type Looking = (timerMs: number, during?: () => Promise<void>) => Promise<Look>;

const identity = { job: 'j', dueIso: '', attempt: 1, runId: 'r', fencingToken: '1' };

async function clockAndProcess(): Promise<{ clock: MovableClock; look: Looking }> {
  const folder = await mkdtemp(join(tmpdir(), 'etcron-test-clock-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const clock = await movableClock(folder, 'w1', { onProgress: (line) => console.error(line) });
  const env = { ...process.env, ...clock.env };
  const commandEnv = childEnvironment(identity, 'm', {}, env);
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, JSON.stringify(commandEnv)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    clock,
    look: async (timerMs, during) => {
      child.stdin.write(`${timerMs}\n`);
      await lines.next();
      await during?.();
      child.stdin.write('go on\n');
      return JSON.parse((await lines.next()).value as string) as Look;
    },
  };
}

test('the clock of a process jumps while it runs; its timers and its commands keep the true time', async () => {
  const { clock, look } = await clockAndProcess();
  for (const offsetMs of [0, MINUTES_5, -MINUTES_5, 0]) {
    await clock.set(offsetMs);
    const seen = await look(50);
    const truth = Date.now();
    for (const wall of [seen.wall, seen.inherited])
      expect(Math.abs(wall - truth - offsetMs)).toBeLessThan(SLACK_MS);
    expect(Math.abs(seen.command - truth)).toBeLessThan(SLACK_MS);
    expect(seen.passed).toBeGreaterThanOrEqual(49);
    expect(seen.passed).toBeLessThan(SLACK_MS);
  }
});

test('a jump in the middle of a timer moves neither the timer nor the monotonic clock', async () => {
  const { clock, look } = await clockAndProcess();
  const seen = await look(500, () => clock.set(-MINUTES_5));
  expect(seen.wallPassed).toBeLessThan(SLACK_MS - MINUTES_5);
  expect(seen.passed).toBeGreaterThanOrEqual(499);
  expect(seen.passed).toBeLessThan(SLACK_MS);
});
