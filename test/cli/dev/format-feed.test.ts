import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { FeedEvent } from '../../../src/cli/dev/feed-event.js';
import { formatEvent, formatHeading } from '../../../src/cli/dev/format-feed.js';
import { displayWidth } from '../../../src/cli/dev/text-width.js';
import type { FiringId } from '../../../src/etcd/keys.js';
import { emptyRecord, OUTCOMES, type Outcome, type RunRecord } from '../../../src/history/run-record.js';

/** Local time, so that the lines are the same in every time zone. */
const DUE = new Date(2026, 10, 21, 16, 0, 5).getTime();
const PLAIN_80 = { colors: false, width: 80 };
const PLAIN_120 = { colors: false, width: 120 };

function output(text: string): RunRecord['stdout'] {
  return { text, truncated: false, totalBytes: text.length };
}

function ended(outcome: Outcome, fields: Partial<RunRecord> = {}, id: Partial<FiringId> = {}): FeedEvent {
  const record: RunRecord = {
    ...emptyRecord(outcome, null, DUE),
    ...{ worker: 'w-1', attempts: 1, exitCode: 0, startedAt: DUE + 3, latenessMs: 3, durationMs: 12 },
    ...fields,
  };
  return { kind: 'ended', atMs: DUE + 15, id: { job: 'hello', dueMs: DUE, suffix: null, ...id }, record };
}

test('a firing is one row whose cells stand under the heading', () => {
  const event = ended('succeeded', { stdout: output('first\nhello there\n') });
  expect([formatHeading(PLAIN_80), ...formatEvent(event, PLAIN_80)]).toEqual([
    'time     due      job              worker    late   took  outcome',
    '16:00:05 16:00:05 hello            w-1       +3ms   12ms  ✓ succeeded',
  ]);
  expect([formatHeading(PLAIN_120), ...formatEvent(event, PLAIN_120)]).toEqual([
    'time     due      job                        worker        late   took  outcome',
    '16:00:05 16:00:05 hello                      w-1           +3ms   12ms  ✓ succeeded    hello there',
  ]);
});

test('a failure shows how and what was said last, on a line of its own where there is no room', () => {
  const event = ended('failed', {
    exitCode: 2,
    stdout: output('working\n'),
    stderr: output('no space left\n\n'),
  });
  expect(formatEvent(event, PLAIN_120)).toEqual([
    '16:00:05 16:00:05 hello                      w-1           +3ms   12ms  ✗ failed exit 2  no space left',
  ]);
  expect(formatEvent(event, PLAIN_80)).toEqual([
    '16:00:05 16:00:05 hello            w-1       +3ms   12ms  ✗ failed exit 2',
    '                  └ no space left',
  ]);
});

test.each<[Outcome, Partial<RunRecord>, string]>([
  ['failed', { exitCode: 2, attempts: 3 }, '✗ failed exit 2 #3'],
  ['failed', { exitCode: null, signal: 'SIGSEGV', reason: 'ended by SIGSEGV' }, '✗ failed SIGSEGV'],
  ['failed', { exitCode: null, reason: 'no such file' }, '✗ failed       no such file'],
  ['failed', { exitCode: null, reason: 'HTTP 503', stderr: output('date: now') }, '✗ failed       HTTP 503'],
  ['timed_out', { exitCode: null, signal: 'SIGTERM' }, '⏱ timed_out'],
  ['killed', { exitCode: null, reason: 'by ann: stuck' }, '■ killed       by ann: stuck'],
  ['skipped', { reason: 'overlap: x was still running' }, '↷ skipped (overlap)  x was still running'],
  ['missed', { missed: { from: DUE, through: DUE, count: 7, atLeast: true } }, '∅ missed 7+ due'],
  ['lost', { reason: 'its worker died' }, '☠ lost         its worker died'],
  ['cancelled', { reason: 'the job was deleted' }, '⊗ cancelled    the job was deleted'],
  ['succeeded', { manual: true }, '✓ succeeded (manual)'],
])('%s %j reads %j', (outcome, fields, text) => {
  expect(formatEvent(ended(outcome, fields), PLAIN_120)[0]!.slice(72)).toBe(text);
});

test('no line is wider than the terminal, whatever the texts, and the outcomes stay in one column', () => {
  const long = 'x'.repeat(128);
  const said = output('日本語の長い出力 🚀'.repeat(20));
  for (const width of [80, 99, 100, 120, 160]) {
    for (const outcome of OUTCOMES) {
      for (const text of ['', 'short', '\u001b[2Jnasty\u0007', '日本語'.repeat(60)]) {
        const facts = { exitCode: 255, stdout: said, stderr: output(text), worker: long, attempts: 12 };
        const times = { latenessMs: 3_599_000, durationMs: 359_000_000, manual: true };
        const event = ended(outcome, { ...facts, ...times }, { job: long });
        const [first, ...rest] = formatEvent(event, { colors: false, width });
        for (const line of [first!, ...rest]) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        const start = formatHeading({ colors: false, width }).indexOf('outcome');
        expect(first!.slice(start)).toMatch(/^[✓✗⏱■↷∅☠⊗] /);
        expect(first).toMatch(/ x{5,13}…x{5,13} /);
      }
    }
  }
});

test('colours come on request and change nothing else', () => {
  const event = ended('failed', { exitCode: 2, stderr: output('boom') });
  const [plain] = formatEvent(event, PLAIN_120);
  const [coloured] = formatEvent(event, { colors: true, width: 120 });
  expect(coloured).not.toBe(plain);
  expect(stripVTControlCharacters(coloured!)).toBe(plain);
  // eslint-disable-next-line no-control-regex
  expect(plain).not.toMatch(/\u001b/);
});

test('a due time of another day shows the day', () => {
  const [line] = formatEvent(ended('succeeded', {}, { dueMs: DUE - 3 * 86_400_000 }), PLAIN_80);
  expect(line).toContain('16:00:05 11-18    hello');
});

const attempt = { atMs: DUE, id: { job: 'backup', dueMs: DUE, suffix: null }, worker: 'w-3', attempt: 2 };

test.each<[FeedEvent, string]>([
  [{ kind: 'leader', atMs: DUE, name: 'w-2', before: 'w-1' }, '16:00:05 ★ w-2 leads now (was w-1)'],
  [{ kind: 'leader', atMs: DUE, name: 'w-2', before: null }, '16:00:05 ★ w-2 leads now'],
  [{ kind: 'recovered', ...attempt, from: 'w-1' }, '16:00:05 ↺ w-1 died; w-3 goes on with backup, attempt 2'],
  [
    { kind: 'released', ...attempt, why: 'lease' },
    '16:00:05 ↷ w-3 could not renew its lease; backup waits for another worker',
  ],
  [{ kind: 'started', ...attempt }, '16:00:05 16:00:05 backup           w-3                    ▶ started #2'],
  [
    { kind: 'retry', ...attempt, notBeforeMs: DUE + 10_000 },
    '16:00:05 16:00:05 backup           w-3                    ↻ #2 at 16:00:15',
  ],
  [
    { kind: 'late-result', ...attempt, outcome: 'succeeded' },
    '16:00:05 16:00:05 backup           w-3                    ☠ lost, then succeeded',
  ],
  [{ kind: 'worker', atMs: DUE, name: 'w-1', pid: 7, change: 'joined' }, '16:00:05 + w-1 joined'],
  [
    { kind: 'worker', atMs: DUE, name: 'w-1', pid: 7, change: 'gone' },
    '16:00:05 - the lease of w-1 (process 7) ended; others take over its work',
  ],
  [
    { kind: 'process-died', atMs: DUE, name: 'w-1', pid: 7, how: 'killed by SIGKILL', replaceInMs: 5_000 },
    '16:00:05 ☠ process 7 (w-1) ended: killed by SIGKILL; a replacement starts in 5s',
  ],
  [{ kind: 'process-replaced', atMs: DUE, name: 'w-1', pid: 8 }, '16:00:05 + started a new w-1: kill -9 8'],
  [
    { kind: 'job', atMs: DUE, name: 'a', change: 'broken', detail: '1:2 schedule: is empty' },
    '16:00:05 ✗ job a is broken: 1:2 schedule: is empty',
  ],
  [{ kind: 'job', atMs: DUE, name: 'a', change: 'deleted', detail: '' }, '16:00:05 • job a deleted'],
])('%j', (event, line) => {
  expect(formatEvent(event, PLAIN_80)).toEqual([line]);
});
