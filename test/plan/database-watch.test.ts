import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { DatabaseWatch } from '../../src/plan/database-watch.js';
import type { EndpointStatus } from '../../src/etcd/store.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const MINUTE = 60_000;

function setUp() {
  const clock = new FakeClock(0);
  const said: { level: number; msg: string }[] = [];
  const log = pino(
    {},
    { write: (line: string) => void said.push(JSON.parse(line) as (typeof said)[number]) },
  );
  let asked = 0;
  let answer: Partial<EndpointStatus> | Error = { dbSizeBytes: 1 };
  const status = (): Promise<EndpointStatus[]> => {
    asked += 1;
    if (answer instanceof Error) return Promise.reject(answer);
    const member = { endpoint: 'a:1', version: '3.5.0', isLeader: true, memberId: '1', raftIndex: '1' };
    return Promise.resolve([
      { ...member, dbSizeBytes: 1, dbInUseBytes: 1, quotaBytes: 100, isFull: false, ...answer },
    ]);
  };
  const watch = new DatabaseWatch({ store: { status }, clock, log });
  const look = async (next: typeof answer): Promise<string[]> => {
    answer = next;
    await clock.advance(MINUTE);
    said.length = 0;
    await watch.look();
    return said.map(({ level, msg }) => `${level} ${msg}`);
  };
  return { clock, watch, look, asked: () => asked };
}

describe('the leader', () => {
  it("says once that etcd's database comes near its quota, is full, and has room again", async () => {
    const { look } = setUp();
    expect(await look({ dbSizeBytes: 79 })).toEqual([]);
    expect(await look({ dbSizeBytes: 80 })).toEqual([expect.stringMatching(/^40 .*80 %/)]);
    expect(await look({ dbSizeBytes: 85 })).toEqual([]);
    expect(await look({ dbSizeBytes: 85, isFull: true })).toEqual([
      expect.stringMatching(/^50 .*refuses all writes/),
    ]);
    expect(await look({ dbSizeBytes: 10 })).toEqual([expect.stringMatching(/^30 .*room again/)]);
    expect(await look({ dbSizeBytes: 90 })).toHaveLength(1);
  });

  it('asks once in a minute, and survives an etcd that does not answer', async () => {
    const { clock, watch, look, asked } = setUp();
    expect(await look(new Error('out of reach'))).toEqual([]);
    await watch.look();
    await clock.advance(MINUTE - 1);
    await watch.look();
    expect(asked()).toBe(1);
    expect(await look({ dbSizeBytes: 99 })).toHaveLength(1);
    expect(asked()).toBe(2);
  });
});
