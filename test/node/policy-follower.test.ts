/** The policy file of a worker is followed: as a whole or not at all, and only when nobody is writing it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { UnderPolicy } from '../../src/node/own-fitness.js';
import { readPolicyFile, underPolicyFile } from '../../src/node/policy-file.js';
import { PolicyFollower } from '../../src/node/policy-follower.js';
import { createLogger, silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { serviceContract } from '../service-contract.js';

const dir = mkdtempSync(join(tmpdir(), 'etcron-policy-'));
const path = join(dir, 'policy.yaml');
let clock: FakeClock;
let follower: PolicyFollower;
let taken: UnderPolicy[];
let said: { level: number; msg: string; code?: string; reason?: string }[];

const write = (text: string): void => writeFileSync(path, text);

serviceContract(
  'PolicyFollower',
  () =>
    new PolicyFollower({
      ...{ path, labels: {}, current: { labels: {}, policy: {} }, clock: systemClock, log: silentLogger() },
      onChange: () => undefined,
    }),
);

beforeEach(async () => {
  clock = new FakeClock();
  taken = [];
  said = [];
  write('commands: { programs: [/opt/a] }\nlabels: { zone: dmz }\n');
  const labels = { disk: 'ssd' };
  const destination = { write: (line: string) => void said.push(JSON.parse(line) as (typeof said)[number]) };
  follower = new PolicyFollower({
    ...{ path, labels, clock, log: createLogger({ destination }) },
    current: underPolicyFile(labels, await readPolicyFile(path), path),
    onChange: (next) => taken.push(next),
  });
  await follower.start();
});

afterEach(async () => {
  await follower.stop();
  expect(clock.pendingTimers).toBe(0);
});

/** One look after the other, since each reads a real file. */
async function looks(count: number): Promise<void> {
  for (let look = 0; look <= count; look += 1) {
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    if (look < count) await clock.advance(3_000);
  }
}

it('takes what was written, and says so once', async () => {
  await looks(3);
  expect([taken, said]).toEqual([[], []]);
  write('commands: { programs: [/opt/b], shell: true }\n');
  await looks(4);
  expect(taken).toMatchObject([
    { labels: { disk: 'ssd' }, policy: { commands: { programs: ['/opt/b'], shell: true } } },
  ]);
  expect(said.map(({ level, msg }) => [level, msg.slice(0, 29)])).toEqual([
    [40, 'this worker has a new policy:'],
  ]);
});

it('does not take what is just being written', async () => {
  await looks(2);
  write('commands:\n  programs: [/opt/b]\n  shell: true\n');
  await looks(1);
  write('commands:\n  programs: [/opt/b]\n  shell: true\njobs: [b-*]\n');
  await looks(3);
  expect(taken.map(({ policy }) => policy?.jobs)).toEqual([['b-*']]);
});

it.each([
  [
    'a mistake in it',
    'commands:\n  programs: [/opt/b]\n  shel: true\n',
    'ETCRON_CONFIG_INVALID',
    /:3: .*shel/,
  ],
  ['no YAML', 'commands: [\n', 'ETCRON_CONFIG_INVALID', /policy\.yaml:\d/],
  ['a label that the settings contradict', 'labels: { disk: hdd }\n', 'ETCRON_CONFIG_INVALID', /disk=ssd/],
  ['nothing to read', null, 'ETCRON_FILE_UNREADABLE', /cannot read/],
])('with %s the old one holds, and the log says why, again and again', async (_, text, code, reason) => {
  await looks(2);
  if (text === null) rmSync(path);
  else write(text);
  await looks(3);
  expect(said).toMatchObject([{ level: 50, code, reason: expect.stringMatching(reason) as string }]);
  await looks(5);
  expect(said).toHaveLength(1);
  await looks(200);
  expect(said).toHaveLength(2);
  expect(taken).toEqual([]);
  // Mended.
  write('commands: { programs: [/opt/a] }\nlabels: { zone: dmz }\n');
  await looks(3);
  expect([taken.length, said.at(-1)?.level]).toEqual([0, 30]);
});
