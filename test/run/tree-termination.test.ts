import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from '../../src/telemetry/logger.js';
import type { ProcessInfo } from '../../src/run/process-table.js';
import { TreeTermination } from '../../src/run/tree-termination.js';
import { GRACE_MS, HandClock, until } from './support.js';

/** A process table in which this test decides what each look finds and how each signal ends. */
const table = vi.hoisted(() => ({
  looks: [] as (number[] | Error)[],
  signals: [] as string[],
  alive: new Set<number>(),
  denied: new Set<number>(),
  immortal: new Set<number>(),
}));

vi.mock('../../src/run/process-tree.js', () => ({
  findTree: async () => {
    const look = table.looks.length > 1 ? table.looks.shift()! : table.looks[0]!;
    await new Promise((resolve) => setImmediate(resolve));
    if (look instanceof Error) throw look;
    look.forEach((pid) => table.alive.add(pid));
    return look.map((pid) => ({ pid, processGroupId: pid < 100 ? 7 : pid, sessionId: 7, startTicks: 1 }));
  },
  isAlive: ({ pid }: ProcessInfo) => table.alive.has(pid),
  signalGroup: (group: number, signal: string) => table.signals.push(`group ${group} ${signal}`),
  signalProcess: ({ pid }: ProcessInfo, signal: string) => {
    table.signals.push(`${pid} ${signal}`);
    if (table.denied.has(pid)) return 'denied';
    if (signal === 'SIGKILL' && !table.immortal.has(pid)) table.alive.delete(pid);
    return 'sent';
  },
}));

const TREE = { processGroupId: 7, marker: 'm', startTicks: 1 };
const logged: string[] = [];
const log = {
  warn: (_: unknown, text: string) => logged.push(text),
  error: (_: unknown, text: string) => logged.push(text),
} as unknown as Logger;

describe('TreeTermination', () => {
  let clock: HandClock;
  let termination: TreeTermination;

  beforeEach(() => {
    clock = new HandClock();
    termination = new TreeTermination(TREE, clock, log);
    table.looks = [[]];
    table.signals.length = logged.length = 0;
    for (const pids of [table.alive, table.denied, table.immortal]) pids.clear();
  });

  it('looks again after the last known process has ended, until a look finds none', async () => {
    termination.mainEnded();
    table.looks = [[8], [9, 101], [102], []];
    expect(await termination.begin(0, true)).toBe(1);
    expect(table.signals).toEqual(['8 SIGKILL', '9 SIGKILL', '101 SIGKILL', '102 SIGKILL']);
  });

  it('signals the group at once while its leader lives, and one by one what is outside', async () => {
    table.looks = [[7, 8, 101], []];
    const done = termination.begin(GRACE_MS, true);
    expect(table.signals).toEqual(['group 7 SIGTERM']);
    await until(() => table.signals.length > 1);
    expect(table.signals).toEqual(['group 7 SIGTERM', '101 SIGTERM']);
    table.alive.clear();
    termination.mainEnded();
    expect(await done).toBe(3);
    expect(clock.held(GRACE_MS)).toBe(0);
  });

  it('does not ask what appeared after the SIGTERM, but ends it when the grace is over', async () => {
    termination.mainEnded();
    table.looks = [[8], [9], []];
    const done = termination.begin(GRACE_MS, true);
    await until(() => table.signals.includes('8 SIGTERM'));
    table.alive.delete(8);
    await until(() => table.alive.has(9));
    clock.fire(GRACE_MS);
    await done;
    expect(table.signals).toEqual(['8 SIGTERM', '9 SIGKILL']);
  });

  it('asks those outside the session once an ending of the session is extended to them', async () => {
    termination.mainEnded();
    table.looks = [[8], [8, 101], []];
    const done = termination.begin(GRACE_MS, false);
    await until(() => table.signals.length === 1);
    expect(termination.begin(GRACE_MS, true)).toBe(done);
    await until(() => table.signals.length === 2);
    table.alive.clear();
    await done;
    expect(table.signals).toEqual(['8 SIGTERM', '101 SIGTERM']);
  });

  it('repeats a look that failed; it never takes it for an empty one', async () => {
    termination.mainEnded();
    table.looks = [new Error('no descriptor left'), new Error('no descriptor left'), [8], []];
    await termination.begin(0, true);
    expect(table.signals).toEqual(['8 SIGKILL']);
    expect(logged).toHaveLength(2);
  });

  it("gives up a process that is another user's, and says so", async () => {
    termination.mainEnded();
    table.denied.add(8);
    table.looks = [[8, 9], [8]];
    await termination.begin(0, true);
    expect(table.signals).toEqual(['8 SIGKILL', '9 SIGKILL']);
    expect(logged).toEqual(["cannot end a process of a run: it is another user's"]);
  });

  it('waits for a process that survives SIGKILL, and says so once', async () => {
    termination.mainEnded();
    table.immortal.add(8);
    table.looks = [[8], []];
    let nowMs = 0;
    clock.monotonicMs = () => (nowMs += 4000);
    const done = termination.begin(0, true);
    await until(() => table.signals.length > 6);
    expect(logged).toEqual(['processes of a run survive SIGKILL; the run goes on until they are gone']);
    table.immortal.clear();
    await done;
  });
});
