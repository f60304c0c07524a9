/**
 * From an event to its line. Firings are rows of a table whose columns stand still:
 *
 *     time      due       job              worker  late    took  outcome
 *     16:00:05  16:00:05  hello            w-1     +3ms    12ms  ✓ succeeded    hello
 *
 * Everything else is a sentence after the time. Pure: the same event gives the same line, whatever happens around it.
 */
import pc from 'picocolors';
import type { FiringId } from '../../etcd/keys.js';
import type { RunRecord } from '../../history/run-record.js';
import type { FeedEvent } from './feed-event.js';
import { isFailure, outcomeText, remark } from './outcome-text.js';
import { clockTime, dueTime, briefDuration } from './short-time.js';
import { cutEnd, cutMiddle, displayWidth, harmless, pad } from './text-width.js';

export interface FeedStyle {
  readonly colors: boolean;
  /** Columns of the terminal; taken as 80 to 160. */
  readonly width: number;
}

type Colors = ReturnType<typeof pc.createColors>;
type Color = (text: string) => string;

const TIME = 8;
const LATE = 7;
const TOOK = 6;
const OUTCOME = 13;
/** A remark that is left less room than this is cut for a success, and goes to a line of its own for a failure. */
const MIN_REMARK = 12;

/** The names of the columns. */
export function formatHeading(style: FeedStyle): string {
  const { job, worker } = columns(style);
  const names = [
    pad('time', TIME),
    pad('due', TIME),
    pad('job', job),
    pad('worker', worker),
    pad('late', LATE, 'right'),
    pad('took', TOOK, 'right'),
  ];
  return pc.createColors(style.colors).dim(`${names.join(' ')}  outcome`);
}

/** One line, seldom two, without line ends, each at most as wide as the style says. */
export function formatEvent(event: FeedEvent, style: FeedStyle): string[] {
  const c = pc.createColors(style.colors);
  switch (event.kind) {
    case 'ended':
      return ended(event, style, c);
    case 'late-result':
      return [row(event, { outcome: `☠ lost, then ${event.outcome}`, color: c.yellow }, style, c)];
    case 'started':
      return [row(event, { outcome: `▶ started${attemptMark(event.attempt)}`, color: c.cyan }, style, c)];
    case 'retry': {
      const outcome = `↻ #${event.attempt} at ${clockTime(event.notBeforeMs)}`;
      return [row(event, { outcome, color: c.yellow }, style, c)];
    }
    case 'released': {
      const why = event.why === 'lease' ? 'could not renew its lease' : 'stops';
      const text = `${event.worker} ${why}; ${event.id.job} waits for another worker`;
      return [sentence(event.atMs, '↷', text, c.yellow, style, c)];
    }
    case 'recovered': {
      const goesOn = `${event.worker} goes on with ${event.id.job}, attempt ${event.attempt}`;
      return [sentence(event.atMs, '↺', `${event.from} died; ${goesOn}`, c.magenta, style, c)];
    }
    case 'leader': {
      const before = event.before === null ? '' : ` (was ${event.before})`;
      return [sentence(event.atMs, '★', `${event.name} leads now${before}`, c.magenta, style, c)];
    }
    case 'worker':
      return [workerLine(event, style, c)];
    case 'job': {
      const color = event.change === 'broken' ? c.red : c.cyan;
      const detail = event.detail === '' ? '' : `: ${harmless(event.detail)}`;
      const text = `job ${event.name} ${event.change === 'broken' ? 'is broken' : event.change}${detail}`;
      return [sentence(event.atMs, event.change === 'broken' ? '✗' : '•', text, color, style, c)];
    }
    case 'process-died': {
      const next =
        event.replaceInMs === null
          ? 'not replaced'
          : `a replacement starts in ${briefDuration(event.replaceInMs)}`;
      const text = `process ${event.pid} (${event.name}) ended: ${event.how}; ${next}`;
      return [sentence(event.atMs, '☠', text, c.red, style, c)];
    }
    case 'process-replaced': {
      const text = `started a new ${event.name}: kill -9 ${event.pid}`;
      return [sentence(event.atMs, '+', text, c.green, style, c)];
    }
    case 'log': {
      const color = event.level === 'error' ? c.red : c.yellow;
      const text = `${event.name}: ${harmless(event.text)}`;
      return [sentence(event.atMs, event.level === 'error' ? '✗' : '!', text, color, style, c)];
    }
    case 'note':
      return [sentence(event.atMs, '•', event.text, c.dim, style, c)];
  }
}

function ended(event: Extract<FeedEvent, { kind: 'ended' }>, style: FeedStyle, c: Colors): string[] {
  const { atMs, id, record } = event;
  const worker = record.worker ?? '';
  const outcome = outcomeText(record) + attemptMark(record.attempts);
  const color = outcomeColor(record, c);
  const { latenessMs, durationMs } = record;
  const facts = { outcome, color, latenessMs, durationMs };
  const said = harmless(remark(record));
  const room = roomBeside(outcome, style);
  if (said === '' || (room < MIN_REMARK && !isFailure(record.outcome))) {
    return [row({ atMs, id, worker }, facts, style, c)];
  }
  if (room >= MIN_REMARK) return [row({ atMs, id, worker }, { ...facts, remark: said }, style, c)];
  const indent = ' '.repeat(2 * TIME + 2);
  const second = `${indent}└ ${cutEnd(said, clampedWidth(style) - indent.length - 2)}`;
  return [row({ atMs, id, worker }, facts, style, c), c.dim(second)];
}

interface RowFacts {
  readonly outcome: string;
  readonly color: Color;
  readonly latenessMs?: number | null;
  readonly durationMs?: number | null;
  readonly remark?: string;
}

function row(
  { atMs, id, worker }: { atMs: number; id: FiringId; worker: string },
  facts: RowFacts,
  style: FeedStyle,
  c: Colors,
): string {
  const widths = columns(style);
  const { latenessMs, durationMs } = facts;
  const late = latenessMs === undefined || latenessMs === null ? '' : `+${briefDuration(latenessMs)}`;
  const took = durationMs === undefined || durationMs === null ? '' : briefDuration(durationMs);
  const cells = [
    c.dim(pad(clockTime(atMs), TIME)),
    pad(dueTime(id.dueMs, atMs), TIME),
    c.bold(pad(cutMiddle(id.job, widths.job), widths.job)),
    c.cyan(pad(cutMiddle(harmless(worker), widths.worker), widths.worker)),
    pad(late, LATE, 'right'),
    pad(took, TOOK, 'right'),
  ];
  const outcome = cutEnd(facts.outcome, widths.rest);
  const line = `${cells.join(' ')}  ${facts.color(outcome)}`;
  if (facts.remark === undefined) return line;
  const gap = ' '.repeat(Math.max(0, OUTCOME - displayWidth(outcome)) + 2);
  return line + gap + c.dim(cutEnd(facts.remark, roomBeside(outcome, style)));
}

function sentence(
  atMs: number,
  symbol: string,
  text: string,
  color: Color,
  style: FeedStyle,
  c: Colors,
): string {
  const room = clampedWidth(style) - TIME - 2 - displayWidth(symbol);
  return `${c.dim(clockTime(atMs))} ${color(`${symbol} ${cutEnd(harmless(text), room)}`)}`;
}

function workerLine(event: Extract<FeedEvent, { kind: 'worker' }>, style: FeedStyle, c: Colors): string {
  const { atMs, name } = event;
  switch (event.change) {
    case 'joined':
      return sentence(atMs, '+', `${name} joined`, c.green, style, c);
    case 'draining':
      return sentence(atMs, '-', `${name} is draining: it claims no more`, c.yellow, style, c);
    case 'left':
      return sentence(atMs, '-', `${name} left`, c.yellow, style, c);
    case 'gone':
      return sentence(
        atMs,
        '-',
        `the lease of ${name} (process ${event.pid}) ended; others take over its work`,
        c.red,
        style,
        c,
      );
  }
}

function outcomeColor(record: RunRecord, c: Colors): Color {
  switch (record.outcome) {
    case 'succeeded':
      return c.green;
    case 'skipped':
    case 'missed':
    case 'cancelled':
      return c.yellow;
    case 'failed':
    case 'timed_out':
    case 'killed':
    case 'lost':
      return c.red;
  }
}

function attemptMark(attempt: number): string {
  return attempt > 1 ? ` #${attempt}` : '';
}

function clampedWidth({ width }: FeedStyle): number {
  return Math.min(Math.max(width, 80), 160);
}

/** The widths of the columns that grow with the terminal; `rest` is for the outcome and what comes after it. */
function columns(style: FeedStyle): { job: number; worker: number; rest: number } {
  const width = clampedWidth(style);
  const job = Math.min(16 + Math.floor((width - 80) / 3), 26);
  const worker = width < 100 ? 6 : 10;
  return { job, worker, rest: width - (2 * TIME + job + worker + LATE + TOOK + 7) };
}

function roomBeside(outcome: string, style: FeedStyle): number {
  return columns(style).rest - Math.max(displayWidth(outcome), OUTCOME) - 2;
}
