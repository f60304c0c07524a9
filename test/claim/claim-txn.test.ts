import { beforeEach, describe, expect, it } from 'vitest';
import { prepareClaim, type ClaimRequest, type ClaimResult } from '../../src/claim/claim-txn.js';
import { prepareEnd, prepareHandBack, prepareSettle } from '../../src/claim/finish-txn.js';
import { Keys } from '../../src/etcd/keys.js';
import { exists, put } from '../../src/etcd/txn.js';
import { decodeRun, emptyRecord } from '../../src/history/run-record.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { decodeFiring, encodeFiring, plannedFiring } from '../../src/view/firing-record.js';

const keys = new Keys();
const id = { job: 'job', dueMs: 1_000, suffix: null };
const planned = plannedFiring('f');
let etcd: MemoryEtcd;
let leases: Record<'a' | 'b', string>;
let revisions: { firing: number; job: number };

beforeEach(() => {
  etcd = new MemoryEtcd(new FakeClock());
  leases = { a: etcd.leaseGrant(10_000).leaseId, b: etcd.leaseGrant(10_000).leaseId };
  const job = etcd.txn({ compare: [], success: [put(keys.job('job'), '{}')] }).revision;
  const firing = etcd.txn({ compare: [], success: [put(keys.firing(id), encodeFiring(planned))] }).revision;
  revisions = { firing, job };
});

function prepare(node: 'a' | 'b', more: Partial<ClaimRequest> = {}) {
  return prepareClaim(keys, {
    ...{ id, firing: planned, firingRevision: revisions.firing, jobRevision: revisions.job },
    ...{ nodeId: node, worker: node, leaseId: leases[node], slot: 0, afterCrash: false, nowMs: 500 },
    ...{ limitSlots: [], provided: [], count: null },
    ...more,
  });
}

function claim(node: 'a' | 'b', more: Partial<ClaimRequest> = {}): ClaimResult {
  const { txn, interpret } = prepare(node, more);
  return interpret(etcd.txn(txn));
}

function held() {
  const result = claim('a');
  if (!result.won) throw new Error(result.why);
  return { id, fencingToken: result.claim.fencingToken, slot: 0, limitSlots: null };
}

function firing() {
  const kv = etcd.get(keys.firing(id));
  const decoded = kv && decodeFiring(kv);
  return decoded?.ok ? decoded.value : null;
}

describe('the claim', () => {
  it('takes lock, slot and firing at once; the lock gives the fencing token', () => {
    const result = claim('a');
    expect(result).toMatchObject({ won: true, claim: { fencingToken: etcd.revision, before: planned } });
    expect(firing()).toEqual({ ...planned, attempt: 1, node: 'a', slot: 0 });
    expect(etcd.get(keys.lock(id))).toMatchObject({ leaseId: leases.a, createRevision: etcd.revision });
    expect(etcd.get(keys.slot('job', 0))).toMatchObject({ leaseId: leases.a });
  });

  it('tells the loser who holds it', () => {
    claim('a');
    expect(claim('b')).toMatchObject({ won: false, why: 'held', holder: { node: 'a', attempt: 1 } });
  });

  it('recognises itself when it is sent again after a lost reply', () => {
    const { txn, interpret } = prepare('a');
    const first = interpret(etcd.txn(txn));
    const again = interpret(etcd.txn(txn));
    expect(again).toEqual(first);
    expect(again.won).toBe(true);
  });

  it('does not take an older claim of its own for the one that it sends again', () => {
    const { txn, interpret } = prepare('a');
    etcd.txn(txn);
    const later = prepare('a', { firing: { ...planned, attempt: 1 }, firingRevision: etcd.revision });
    expect(later.interpret(etcd.txn(later.txn)).won).toBe(false);
    etcd.txn({ compare: [], success: [put(keys.firing(id), encodeFiring(planned))] });
    expect(interpret(etcd.txn(txn)).won).toBe(false);
  });

  it('fails on a changed firing, a changed job, a taken slot', () => {
    expect(claim('a', { firingRevision: 1 })).toMatchObject({ won: false, why: 'changed' });
    expect(claim('a', { jobRevision: 1 })).toMatchObject({ won: false, why: 'changed' });
    etcd.txn({ compare: [], success: [put(keys.slot('job', 0), 'b', leases.b)] });
    expect(claim('a')).toMatchObject({ won: false, why: 'slot-taken' });
    expect(claim('a', { slot: 1 })).toMatchObject({ won: true });
  });

  it('counts the crash that it follows', () => {
    claim('a');
    etcd.leaseRevoke(leases.a);
    const request = { firing: firing()!, firingRevision: etcd.get(keys.firing(id))!.modRevision };
    expect(claim('b', { ...request, afterCrash: true }).won).toBe(true);
    expect(firing()).toMatchObject({ attempt: 2, crashes: 1, node: 'b' });
  });
});

describe('the ways out', () => {
  const record = (token: number) => ({
    ...emptyRecord('succeeded', null, 2_000),
    fencingToken: String(token),
  });

  it('end: lock, slot and firing go, the record stays; sent again it says done', () => {
    const mine = held();
    const { txn, interpret } = prepareEnd(keys, mine, record(mine.fencingToken));
    expect(interpret(etcd.txn(txn))).toBe('done');
    for (const key of [keys.lock(id), keys.slot('job', 0), keys.firing(id)]) expect(etcd.get(key)).toBeNull();
    const { revision } = etcd;
    expect(interpret(etcd.txn(txn))).toBe('done');
    expect(etcd.revision).toBe(revision);
  });

  it('end: writes nothing when the lock is gone or of a later claim', () => {
    const mine = held();
    etcd.leaseRevoke(leases.a);
    const { txn, interpret } = prepareEnd(keys, mine, record(mine.fencingToken));
    expect(interpret(etcd.txn(txn))).toBe('not-ours');
    claim('b', { firing: firing()!, firingRevision: etcd.get(keys.firing(id))!.modRevision });
    expect(interpret(etcd.txn(txn))).toBe('not-ours');
    expect(etcd.get(keys.run(id))).toBeNull();
    expect(firing()).toMatchObject({ node: 'b', attempt: 2 });
  });

  it('hand back: the firing is free again; sent again it says done', () => {
    const mine = held();
    const free = { ...planned, attempt: 1, notBefore: 9_000 };
    const { txn, interpret } = prepareHandBack(keys, mine, free);
    expect(interpret(etcd.txn(txn))).toBe('done');
    expect(interpret(etcd.txn(txn))).toBe('done');
    expect(firing()).toEqual(free);
    expect(etcd.get(keys.lock(id))).toBeNull();
  });

  it('settle: only while nobody holds it, it is as seen, and the slots are taken', () => {
    const seen = { id, modRevision: revisions.firing };
    const skipped = emptyRecord('skipped', null, 0);
    const taken = [exists(keys.slot('job', 0))];
    expect(etcd.txn(prepareSettle(keys, seen, skipped, taken)).succeeded).toBe(false);
    etcd.txn({ compare: [], success: [put(keys.slot('job', 0), 'b', leases.b)] });
    expect(etcd.txn(prepareSettle(keys, { id, modRevision: 1 }, skipped, taken)).succeeded).toBe(false);
    expect(etcd.txn(prepareSettle(keys, seen, skipped, taken)).succeeded).toBe(true);
    expect(decodeRun(etcd.get(keys.run(id))!)).toMatchObject({ ok: true, value: { outcome: 'skipped' } });
    expect(etcd.get(keys.firing(id))).toBeNull();
  });

  it('settle: not while somebody holds the lock', () => {
    held();
    const seen = { id, modRevision: etcd.get(keys.firing(id))!.modRevision };
    expect(etcd.txn(prepareSettle(keys, seen, emptyRecord('lost', null, 0))).succeeded).toBe(false);
  });
});
