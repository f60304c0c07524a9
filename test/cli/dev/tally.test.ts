import { expect, test } from 'vitest';
import type { FeedEvent } from '../../../src/cli/dev/feed-event.js';
import { Tally } from '../../../src/cli/dev/tally.js';
import { emptyRecord, type Outcome, type RunRecord } from '../../../src/history/run-record.js';

const id = { job: 'a', dueMs: 1_000, suffix: null };

function ended(outcome: Outcome, latenessMs: number | null, fields: Partial<RunRecord> = {}): FeedEvent {
  const record = { ...emptyRecord(outcome, null, 0), attempts: 1, latenessMs, ...fields };
  return { kind: 'ended', atMs: 0, id, record };
}

test('the summary counts outcomes, lateness, takeovers and recoveries', () => {
  const tally = new Tally(0);
  tally.add({ kind: 'leader', atMs: 500, name: 'w-1', before: null });
  for (let ms = 1; ms <= 100; ms += 1) tally.add(ended(ms === 7 ? 'failed' : 'succeeded', ms));
  tally.add(ended('skipped', null, { attempts: 0 }));
  tally.add(ended('succeeded', 60_000, { attempts: 2 }));
  tally.add(ended('succeeded', 60_000, { manual: true }));
  tally.add({ kind: 'leader', atMs: 0, name: 'w-2', before: 'w-1' });
  tally.add({ kind: 'recovered', atMs: 0, id, worker: 'w-2', attempt: 2, from: 'w-1' });
  expect(tally.summary()).toBe(
    '103 firings: 101 succeeded, 1 failed, 1 skipped; lateness p50 50ms, p99 99ms; 1 takeover, 1 run recovered',
  );
});

test('nothing happened', () => {
  expect(new Tally(0).summary()).toBe('no firings; no takeovers, no runs recovered');
  expect(new Tally(0).latenessQuantile(0.5)).toBeNull();
});

test('due times from before there was a leader say nothing about lateness', () => {
  const tally = new Tally(0);
  tally.add({ kind: 'leader', atMs: 1_000, name: 'w-1', before: null });
  tally.add(ended('succeeded', 9_000));
  expect(tally.latenessQuantile(1)).toBeNull();
  expect(tally.summary()).toBe('1 firing: 1 succeeded; no takeovers, no runs recovered');
});
