/** The count of runs of a job with `maxRuns`, in the transactions that begin a claim and give it back. */
import { beforeEach, expect, it } from 'vitest';
import { prepareClaim, type Claim, type ClaimResult } from '../../src/claim/claim-txn.js';
import { prepareHandBack, takingBackCount, type PreparedFinish } from '../../src/claim/finish-txn.js';
import { Keys, type FiringId } from '../../src/etcd/keys.js';
import type { Operation } from '../../src/etcd/store.js';
import { del, put } from '../../src/etcd/txn.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { encodeFiring, plannedFiring } from '../../src/view/firing-record.js';
import { decodeRunCount, encodeRunCount, type RunCount } from '../../src/view/run-count.js';

const keys = new Keys();
const key = keys.count('job');
const planned = plannedFiring('f');
let etcd: MemoryEtcd;
let leaseId: string;
let job: number;

const due = (second: number): FiringId => ({ job: 'job', dueMs: second * 1_000, suffix: null });
const write = (...success: Operation[]): number => etcd.txn({ compare: [], success }).revision;

function count(): RunCount | null {
  const kv = etcd.get(key);
  return kv && decodeRunCount(kv);
}

const runs = (): number | undefined => count()?.value?.runs;

beforeEach(() => {
  etcd = new MemoryEtcd(new FakeClock());
  leaseId = etcd.leaseGrant(10_000).leaseId;
  job = write(put(keys.job('job'), '{}'));
});

/** Claims a new firing as a node would that saw this count. */
function claim(second: number, seen: RunCount | null): ClaimResult {
  const id = due(second);
  const firingRevision = write(put(keys.firing(id), encodeFiring(planned)));
  const next = { job, runs: (seen?.value?.runs ?? 0) + 1, at: 500 };
  const { txn, interpret } = prepareClaim(keys, {
    ...{ id, firing: planned, firingRevision, jobRevision: job, leaseId, nowMs: 500 },
    ...{
      nodeId: `n${second}`,
      worker: `n${second}`,
      slot: null,
      limitSlots: [],
      provided: [],
      afterCrash: false,
    },
    count: { seenRevision: seen?.modRevision ?? 0, next },
  });
  return interpret(etcd.txn(txn));
}

function won(second: number): Claim {
  const result = claim(second, count());
  if (!result.won) throw new Error(result.why);
  return result.claim;
}

/** Sends a way out until it needs no other try; how often it was sent. */
function giveBack({ id, fencingToken, counted }: Claim): { sent: number; result: string } {
  const held = { id, fencingToken, slot: null, limitSlots: null };
  let prepared: PreparedFinish = takingBackCount(keys, held, prepareHandBack(keys, held, planned), counted!);
  for (let sent = 1; ; sent += 1) {
    const answer = etcd.txn(prepared.txn);
    const next = prepared.again?.(answer) ?? null;
    if (next === null) return { sent, result: prepared.interpret(answer) };
    prepared = next;
  }
}

it('of two that saw the same count one gets through', () => {
  const seen = count();
  expect(claim(1, seen)).toMatchObject({ won: true, claim: { counted: { runs: 1 } } });
  expect(claim(2, seen)).toEqual({ won: false, why: 'changed' });
  expect(etcd.get(keys.lock(due(2)))).toBeNull();
  expect(runs()).toBe(1);
});

it('a claim that is given back takes its one with it, also when others were counted meanwhile', () => {
  const first = won(1);
  expect(giveBack(won(2))).toEqual({ sent: 1, result: 'done' });
  expect(runs()).toBe(1);
  won(3);
  expect(giveBack(first)).toEqual({ sent: 2, result: 'done' });
  expect(runs()).toBe(1);
  expect(etcd.get(keys.firing(due(1)))?.value.toString()).toBe(encodeFiring(planned));
});

it('sent again after a lost reply, it takes nothing twice', () => {
  won(1);
  const second = won(2);
  giveBack(second);
  expect(giveBack(second)).toEqual({ sent: 1, result: 'done' });
  expect(runs()).toBe(1);
});

it('takes nothing where the lock is gone, and leaves what is no count of this job as it is', () => {
  const first = won(1);
  write(del(keys.lock(due(1))));
  expect(giveBack(first)).toEqual({ sent: 1, result: 'not-ours' });
  expect(runs()).toBe(1);
  for (const other of [encodeRunCount({ job: job + 1, runs: 7, at: 0 }), 'nonsense']) {
    const claimed = won(other.length);
    write(put(key, other));
    expect(giveBack(claimed)).toEqual({ sent: 2, result: 'done' });
    expect(etcd.get(key)?.value.toString()).toBe(other);
  }
  const last = won(3);
  write(del(key));
  expect(giveBack(last)).toEqual({ sent: 2, result: 'done' });
  expect(count()).toBeNull();
});
