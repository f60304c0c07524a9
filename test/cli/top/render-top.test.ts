import pc from 'picocolors';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth } from '../../../src/cli/dev/text-width.js';
import { renderTop } from '../../../src/cli/top/render-top.js';
import { topLine } from '../../../src/cli/top/top-line.js';
import type { TopModel } from '../../../src/cli/top/top-model.js';

const NOW = Date.UTC(2026, 10, 21, 14, 0, 5);
const plain = pc.createColors(false);

const model: TopModel = {
  nowMs: NOW,
  source: '/cron',
  isLive: true,
  leader: { nodeId: 'w2-k3j9x1', sinceMs: NOW - 754_000 },
  workers: [
    { name: 'w1', nodeId: 'w1-a1b2c3', state: 'active', load: 3, capacity: 8 },
    { name: 'w2', nodeId: 'w2-k3j9x1', state: 'active', load: 8, capacity: 8 },
    { name: 'w3', nodeId: 'w3-000000', state: 'drained', load: 0, capacity: 16 },
  ],
  jobs: { total: 42, broken: 1 },
  counts: { planned: 3, running: 2, late: 0, queued: 1, retrying: 4 },
  running: [
    { runId: 'backup/2026-11-21T13:00:00.000Z', worker: 'w2', attempt: 2, sinceMs: NOW - 3_605_000 },
    { runId: 'mail/2026-11-21T14:00:00.000Z', worker: 'w1', attempt: 1, sinceMs: NOW - 5_000 },
  ],
  next: [
    { runId: 'tick/2026-11-21T14:00:06.000Z', dueMs: NOW + 1_000 },
    { runId: 'report/2026-11-22T06:00:00.000Z', dueMs: NOW + 57_595_000 },
  ],
  minutes: [0, 1, 2, 3, 4].map((index) => ({
    fromMs: NOW - 5_000 - (4 - index) * 60_000,
    runs: index * 30,
    failed: index === 3 ? 2 : 0,
    lateness: index === 0 ? null : { p50Ms: 3, p99Ms: 12.4, maxMs: 1_250 },
  })),
  failures: [
    {
      runId: 'import/2026-11-21T13:59:00.000Z',
      outcome: 'failed',
      atMs: NOW - 62_000,
      reason: 'exit code 1',
    },
    { runId: 'sync/2026-11-21T13:58:00.000Z', outcome: 'timed_out', atMs: NOW - 120_000, reason: '' },
  ],
};

const draw = (
  columns: number,
  rows: number,
  changed: Partial<TopModel> = {},
  keys: string | null = 'q: end',
) => renderTop({ ...model, ...changed }, { columns, rows, colors: plain, keys });

describe('the screen of etcron top', () => {
  it('fits into 80 × 24', () => {
    expect(draw(80, 24)).toMatchInlineSnapshot(`
      [
        "etcron top  /cron                                                live  14:00:05Z",
        "leader w2-k3j9x1 for 12m34s · 2/3 active · load 11/32 · 42 jobs, 1 broken",
        "2 running · 3 planned · 0 late · 1 waiting for their turn · 4 for a retry",
        "WORKERS",
        "  w1    active           3/8  ████████░░░░░░░░░░░░",
        "★ w2    active           8/8  ████████████████████",
        "  w3    drained         0/16  ░░░░░░░░░░░░░░░░░░░░",
        "RUNNING, the longest first",
        "backup/2026-11-21T13:00:00.000Z  attempt 2                        w2        1h5s",
        "mail/2026-11-21T14:00:00.000Z                                     w1          5s",
        "NEXT",
        "tick/2026-11-21T14:00:06.000Z                                              in 1s",
        "report/2026-11-22T06:00:00.000Z                                        in 15h59m",
        "LAST MINUTES",
        "14:00     120 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:59      90 ended      2 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:58      60 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:57      30 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:56       0 ended      0 failed",
        "FAILURES, the newest first",
        "import/2026-11-21T13:59:00.000Z  failed: exit code 1                    1m2s ago",
        "sync/2026-11-21T13:58:00.000Z  timed_out                                  2m ago",
        "",
        "q: end",
      ]
    `);
  });

  it('shows all where there is room, with a space between the parts', () => {
    expect(draw(100, 40)).toMatchInlineSnapshot(`
      [
        "etcron top  /cron                                                                    live  14:00:05Z",
        "leader w2-k3j9x1 for 12m34s · 2/3 active · load 11/32 · 42 jobs, 1 broken",
        "2 running · 3 planned · 0 late · 1 waiting for their turn · 4 for a retry",
        "",
        "WORKERS",
        "  w1    active           3/8  ████████░░░░░░░░░░░░",
        "★ w2    active           8/8  ████████████████████",
        "  w3    drained         0/16  ░░░░░░░░░░░░░░░░░░░░",
        "",
        "RUNNING, the longest first",
        "backup/2026-11-21T13:00:00.000Z  attempt 2                                            w2        1h5s",
        "mail/2026-11-21T14:00:00.000Z                                                         w1          5s",
        "",
        "NEXT",
        "tick/2026-11-21T14:00:06.000Z                                                                  in 1s",
        "report/2026-11-22T06:00:00.000Z                                                            in 15h59m",
        "",
        "LAST MINUTES",
        "14:00     120 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:59      90 ended      2 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:58      60 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:57      30 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:56       0 ended      0 failed",
        "",
        "FAILURES, the newest first",
        "import/2026-11-21T13:59:00.000Z  failed: exit code 1                                        1m2s ago",
        "sync/2026-11-21T13:58:00.000Z  timed_out                                                      2m ago",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "q: end",
      ]
    `);
  });

  it('says that nobody leads, that nothing runs, and that what it shows is old', () => {
    const nothing = { planned: 0, running: 0, late: 7, queued: 0, retrying: 0 };
    const empty = { leader: null, isLive: false, workers: [], running: [], next: [], failures: [] };
    expect(draw(80, 16, { ...empty, counts: nothing })).toMatchInlineSnapshot(`
      [
        "etcron top  /cron                   connection lost, showing what was  14:00:05Z",
        "NOBODY LEADS · 0/0 active · load 0/0 · 42 jobs, 1 broken",
        "0 running · 0 planned · 7 late · 0 waiting for their turn · 0 for a retry",
        "WORKERS",
        "none: nothing runs",
        "RUNNING, the longest first",
        "nothing",
        "NEXT",
        "nothing",
        "LAST MINUTES  (3 of 5)",
        "14:00     120 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:59      90 ended      2 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "13:58      60 ended      0 failed  late: median 3ms, p99 12ms, max 1s250ms",
        "FAILURES, the newest first",
        "none lately",
        "q: end",
      ]
    `);
  });

  it('has no colours where they are not wanted, and the same text with them', () => {
    const coloured = renderTop(model, {
      ...{ columns: 80, rows: 24, keys: 'q: end' },
      colors: pc.createColors(true),
    });
    expect(coloured.join('')).toContain('\u001b[');
    expect(coloured.map((line) => stripVTControlCharacters(line))).toEqual(draw(80, 24));
  });

  it('never draws beyond its rectangle, whatever names and sizes there are', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.constantFrom('日本語のとても長い名前'.repeat(9), '\u001b[2Jboom', '👨‍👩‍👧‍👦'.repeat(40)),
    );
    const count = fc.nat({ max: 30 });
    fc.assert(
      fc.property(
        ...[fc.integer({ min: 20, max: 300 }), fc.integer({ min: 1, max: 100 }), text, count],
        fc.integer({ min: -1e12, max: 1e12 }),
        (columns, rows, name, many, offsetMs) => {
          const times = <T>(one: T): T[] => Array.from({ length: many }, () => one);
          const lines = draw(columns, rows, {
            source: name,
            leader: { nodeId: name, sinceMs: NOW - offsetMs },
            workers: times({ name, nodeId: name, state: 'clock off', load: 1e9, capacity: 1 } as const),
            running: times({ runId: name, worker: name, attempt: 99, sinceMs: NOW - offsetMs }),
            next: times({ runId: name, dueMs: NOW + offsetMs }),
            failures: times({
              runId: name,
              outcome: 'timed_out',
              atMs: NOW - offsetMs,
              reason: name,
            } as const),
          });
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            expect(displayWidth(line)).toBeLessThanOrEqual(columns);
            expect(line).not.toMatch(/\p{Cc}/u);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is one line for a log', () => {
    expect(topLine(model)).toMatchInlineSnapshot(
      `"2026-11-21T14:00:05.000Z  leader w2-k3j9x1  workers 2/3  load 11/32  running 2  late 0  this minute 120 ended, 0 failed  p99 12ms late  next tick/2026-11-21T14:00:06.000Z"`,
    );
  });
});
