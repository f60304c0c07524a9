import { describe, expect, it } from 'vitest';
import { Ledger } from '../../bench/ledger.js';
import { lockRecordSchema } from '../../src/claim/lock-record.js';
import { Keys } from '../../src/etcd/keys.js';
import { encodeRecord } from '../../src/etcd/record.js';
import type { WatchEvent } from '../../src/etcd/store.js';
import { emptyRecord, encodeRun, type RunRecord } from '../../src/history/run-record.js';

const keys = new Keys('/b');
const DUE = Date.parse('2026-01-01T00:00:10.000Z');
const A = 'a/2026-01-01T00:00:10.000Z';
const B = 'b/2026-01-01T00:00:10.000Z';

function event(key: string, value: string): WatchEvent {
  const meta = { createRevision: 1, modRevision: 1, version: 1, leaseId: null };
  return { type: 'put', kv: { key, value: Buffer.from(value), ...meta } };
}

function claim(runId: string, attempt = 1): WatchEvent {
  const lock = { node: 'w-1-abcdef', worker: 'w-1', attempt, claimedAt: DUE - 500 };
  return event(keys.locks + runId, encodeRecord(lockRecordSchema, lock));
}

function record(runId: string, changes: Partial<RunRecord> = {}): WatchEvent {
  const full = { ...emptyRecord('succeeded', null, DUE + 20), attempts: 1, startedAt: DUE + 5, ...changes };
  return event(keys.runs + runId, encodeRun(full));
}

function ledgerOf(...events: WatchEvent[]): Ledger {
  const ledger = new Ledger();
  ledger.apply(keys, events);
  return ledger;
}

describe('the ledger', () => {
  it('has nothing to say against firings that ran once', () => {
    const account = ledgerOf(claim(A), record(A), claim(B), record(B)).judge([A, B]);
    expect(account.problems).toEqual([]);
    expect(account.records).toHaveLength(2);
  });

  it('does not take the delete of a lock for a claim', () => {
    const gone: WatchEvent = { type: 'delete', key: keys.locks + A, modRevision: 2 };
    expect(ledgerOf(claim(A), gone, record(A)).judge([A]).problems).toEqual([]);
  });

  it('finds what is lost, and tells it from what is still to end', () => {
    expect(ledgerOf(claim(A)).judge([A, B], { planned: new Set([A]) }).problems).toEqual([
      `1 of 2 firings lost: ${B}`,
      `1 of 2 firings unfinished: ${A}`,
    ]);
  });

  it.each([
    ['a second claim', [claim(A, 1), claim(A, 2), record(A)]],
    ['a second claim for the same attempt', [claim(A), claim(A), record(A)]],
    ['a second record', [claim(A), record(A), record(A)]],
    ['a second attempt', [claim(A), record(A, { attempts: 2 })]],
  ])('takes %s for a doubled firing', (_, events) => {
    expect(ledgerOf(...events).judge([A]).problems[0]).toMatch(/^1 of 1 firings doubled/);
  });

  it('lets an attempt that was lost with its worker be repeated, where workers are killed, and no other', () => {
    const options = { crashes: true };
    const events = [claim(A, 1), claim(A, 2)];
    const fair = ledgerOf(...events, record(A, { attempts: 2, crashes: 1 }));
    expect(fair.judge([A], options).problems).toEqual([]);
    expect(fair.judge([A]).problems).not.toEqual([]);
    const unfair = ledgerOf(...events, record(A, { attempts: 2, crashes: 0 }));
    expect(unfair.judge([A], options).problems).not.toEqual([]);
  });

  it('counts claims that were given back, and lets them pass where it was told to', () => {
    const options = { handBacks: true };
    const fair = ledgerOf(claim(A), claim(A), record(A)).judge([A], options);
    expect(fair).toMatchObject({ problems: [], handBacks: 1 });
    expect(ledgerOf(claim(A, 1), claim(A, 2), record(A)).judge([A], options).problems).not.toEqual([]);
  });

  it('finds what was early, failed or missed', () => {
    const early = ledgerOf(claim(A), record(A, { startedAt: DUE - 1 }));
    expect(early.judge([A]).problems).toEqual([`1 of 1 firings early: ${A} (1 ms)`]);
    const failed = ledgerOf(claim(A), record(A, { outcome: 'failed', reason: 'exit code 3' }));
    expect(failed.judge([A]).problems).toEqual([`1 of 1 firings failed: ${A} (failed: exit code 3)`]);
    const missed = { from: DUE - 1000, through: DUE + 1000, count: 3, atLeast: false };
    const range = record('a/2026-01-01T00:00:11.000Z', { outcome: 'missed', attempts: 0, missed });
    expect(ledgerOf(range).judge([A, B]).problems).toEqual([
      `1 of 2 firings lost: ${B}`,
      `1 of 2 firings missed: ${A}`,
    ]);
  });

  it('names some of many', () => {
    const runs = [1, 2, 3, 4, 5].map((number) => `j${number}/2026-01-01T00:00:10.000Z`);
    expect(ledgerOf().judge(runs).problems).toEqual([
      `5 of 5 firings lost: ${runs.slice(0, 3).join(', ')}, …`,
    ]);
  });

  it('reports values that it cannot read', () => {
    expect(ledgerOf(event(keys.runs + A, 'no JSON'), event(keys.locks + B, '{}')).judge([]).problems).toEqual(
      [expect.stringMatching(/^unreadable locks or run records: a\/.*, b\//)],
    );
  });

  it('forgets what is settled, and finds it when it comes up again', () => {
    const ledger = ledgerOf(claim(A), record(A), claim(B), record(B));
    expect(ledger.settle([A, B]).records).toHaveLength(2);
    expect(ledger.strangers(DUE, DUE + 1)).toEqual([]);
    expect(ledger.judge([A]).records).toEqual([]);
    ledger.apply(keys, [claim(B)]);
    expect(ledger.strangers(DUE, DUE + 1)).toEqual([`1 firings came up again: ${B}`]);
    // Outside of what has been settled.
    expect(ledger.strangers(DUE + 1, DUE + 2)).toEqual([]);
    expect(ledger.strangers(DUE - 2, DUE)).toEqual([]);
  });
});
