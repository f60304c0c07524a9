/**
 * Draws what `etcron top` knows into a rectangle: at most so many lines, none wider than the columns. Pure, so that the same facts
 * always look the same.
 *
 * The head takes three lines. What is left is shared by the sections: first each gets what it needs at least, in the order of
 * what somebody looks for at night, then each as much as it wants.
 */
import { shortDuration } from '../../time-text.js';
import type { Colors } from '../context.js';
import { cutEnd, cutMiddle, displayWidth, harmless, pad } from '../dev/text-width.js';
import type { TopMinute, TopModel, TopWorker } from './top-model.js';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colors: Colors;
  /** Said in the last line; null for output that nobody types into. */
  readonly keys: string | null;
}

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
  /** Lines that it gets before others get more. */
  readonly least: number;
  /** Of the lines that it would fill if there were room. */
  readonly total: number;
}

const BAR_COLUMNS = 20;
const MIN_COLUMNS = 20;
/** Failures, running, workers, minutes, next: who is served first. */
const LEAST = { failures: 2, running: 3, workers: 3, minutes: 2, next: 2 } as const;
/** So late is late. */
const LATE_MS = 1_000;

export function renderTop(model: TopModel, screen: Screen): string[] {
  const columns = Math.max(screen.columns, MIN_COLUMNS);
  const head = header(model, columns, screen.colors);
  const foot = screen.keys === null ? [] : [screen.colors.dim(cutEnd(screen.keys, columns))];
  const room = screen.rows - head.length - foot.length;
  const sections = [
    workers(model, columns, screen.colors),
    running(model, columns, screen.colors),
    next(model, columns, screen.colors),
    minutes(model, columns, screen.colors),
    failures(model, columns, screen.colors),
  ];
  const body = fill(sections, room, columns, screen.colors);
  const gap = foot.length > 0 ? Math.max(0, room - body.length) : 0;
  return [...head, ...body, ...Array<string>(gap).fill(''), ...foot].slice(0, Math.max(screen.rows, 1));
}

function header(model: TopModel, columns: number, colors: Colors): string[] {
  const { nowMs, source, isLive, leader, workers: all, jobs, counts } = model;
  const time = new Date(nowMs).toISOString().slice(11, 19);
  const state = isLive ? 'live' : 'connection lost, showing what was';
  const right = `${state}  ${time}Z`;
  const left = cutMiddle(`etcron top  ${harmless(source)}`, Math.max(0, columns - right.length - 2));
  const fillText = ' '.repeat(Math.max(1, columns - displayWidth(left) - right.length));
  const paint = isLive ? colors.green : colors.red;
  const first = `${colors.bold(left)}${fillText}${paint(state)}  ${time}Z`;
  const load = all.reduce((sum, one) => sum + one.load, 0);
  const capacity = all.reduce((sum, one) => sum + one.capacity, 0);
  const active = all.filter(({ state: one }) => one === 'active').length;
  const leads = leader
    ? `leader ${harmless(leader.nodeId)} for ${ageText(nowMs - leader.sinceMs)}`
    : colors.red('NOBODY LEADS');
  const facts = `${active}/${all.length} active · load ${load}/${capacity} · ${jobs.total} jobs${
    jobs.broken > 0 ? `, ${jobs.broken} broken` : ''
  }`;
  const { planned, late, queued, retrying } = counts;
  const second = leader
    ? cutEnd(`${leads} · ${facts}`, columns)
    : `${leads}${cutEnd(` · ${facts}`, columns - 12)}`;
  const third = cutEnd(
    `${counts.running} running · ${planned} planned · ${late} late · ${queued} waiting for their turn · ${retrying} for a retry`,
    columns,
  );
  return [first, second, late > 0 ? colors.red(third) : third];
}

function workers({ workers: all, leader }: TopModel, columns: number, colors: Colors): Section {
  const nameColumns = nameWidth(
    all.map(({ name }) => name),
    columns,
  );
  const lines = all.map((worker) => {
    const mark = worker.nodeId === leader?.nodeId ? '★' : ' ';
    const load = `${worker.load}/${worker.capacity}`;
    const bar = barText(worker, Math.min(BAR_COLUMNS, columns - nameColumns - 26));
    const text = `${mark} ${pad(cutMiddle(harmless(worker.name), nameColumns), nameColumns)}  ${pad(worker.state, 9)}  ${pad(load, 9, 'right')}  ${bar}`;
    return statePaint(worker, colors)(cutEnd(text, columns));
  });
  const shown = lines.length === 0 ? [colors.red('none: nothing runs')] : lines;
  return { title: 'WORKERS', lines: shown, least: LEAST.workers, total: shown.length };
}

function statePaint({ state }: TopWorker, colors: Colors): (text: string) => string {
  if (state === 'active') return (text) => text;
  return state === 'clock off' ? colors.red : colors.yellow;
}

function barText({ load, capacity }: TopWorker, columns: number): string {
  if (columns < 4) return '';
  const filled = Math.min(columns, Math.ceil((columns * load) / capacity));
  return `${'█'.repeat(filled)}${'░'.repeat(columns - filled)}`;
}

function running({ running: all, counts, nowMs }: TopModel, columns: number, colors: Colors): Section {
  const workerColumns = nameWidth(
    all.map(({ worker }) => worker),
    columns,
  );
  const lines = all.map(({ runId, worker, attempt, sinceMs }) => {
    const right = `${pad(cutMiddle(harmless(worker), workerColumns), workerColumns)}  ${pad(ageText(nowMs - sinceMs), 8, 'right')}`;
    const again = attempt > 1 ? `  attempt ${attempt}` : '';
    return twoParts(`${harmless(runId)}${again}`, right, columns);
  });
  return {
    ...{ title: 'RUNNING, the longest first', lines, least: LEAST.running, total: counts.running },
    ...(lines.length === 0 ? { lines: [colors.dim('nothing')], total: 1 } : {}),
  };
}

function next({ next: all, nowMs }: TopModel, columns: number, colors: Colors): Section {
  const lines = all.map(({ runId, dueMs }) => {
    const inMs = dueMs - nowMs;
    const right = inMs <= 0 ? 'now' : `in ${ageText(Math.ceil(inMs / 1_000) * 1_000)}`;
    return twoParts(harmless(runId), right, columns);
  });
  const shown = lines.length === 0 ? [colors.dim('nothing')] : lines;
  return { title: 'NEXT', lines: shown, least: LEAST.next, total: shown.length };
}

function minutes({ minutes: all }: TopModel, columns: number, colors: Colors): Section {
  // The newest first, since what does not fit is cut at the end.
  const lines = [...all].reverse().map((minute) => minuteLine(minute, columns, colors));
  return { title: 'LAST MINUTES', lines, least: LEAST.minutes, total: lines.length };
}

function minuteLine({ fromMs, runs, failed, lateness }: TopMinute, columns: number, colors: Colors): string {
  const time = new Date(fromMs).toISOString().slice(11, 16);
  const late =
    lateness === null
      ? ''
      : `late: median ${msText(lateness.p50Ms)}, p99 ${msText(lateness.p99Ms)}, max ${msText(lateness.maxMs)}`;
  const text = `${time}  ${pad(String(runs), 6, 'right')} ended  ${pad(String(failed), 5, 'right')} failed  ${late}`;
  const cut = cutEnd(text.trimEnd(), columns);
  if (failed > 0) return colors.red(cut);
  return lateness !== null && lateness.p99Ms > LATE_MS ? colors.yellow(cut) : cut;
}

function failures({ failures: all, nowMs }: TopModel, columns: number, colors: Colors): Section {
  const lines = all.map(({ runId, outcome, atMs, reason }) => {
    const left = `${harmless(runId)}  ${outcome}${reason === '' ? '' : `: ${harmless(reason)}`}`;
    return colors.red(twoParts(left, `${ageText(nowMs - atMs)} ago`, columns));
  });
  const shown = lines.length === 0 ? [colors.dim('none lately')] : lines;
  return { title: 'FAILURES, the newest first', lines: shown, least: LEAST.failures, total: shown.length };
}

/** Shares the room; a section without room for a line of its own has no title either. */
function fill(sections: readonly Section[], room: number, columns: number, colors: Colors): string[] {
  const want = sections.map(({ lines }) => lines.length);
  const given = sections.map(() => 0);
  let left = room;
  // The title, and a line above it, count as well.
  const overhead = left >= 24 ? 2 : 1;
  for (const index of [4, 1, 0, 3, 2]) {
    const lines = Math.min(want[index]!, sections[index]!.least, left - overhead);
    if (lines <= 0) continue;
    given[index] = lines;
    left -= lines + overhead;
  }
  for (let isMoving = true; isMoving && left > 0;) {
    isMoving = false;
    for (const index of sections.keys()) {
      if (left === 0 || given[index] === 0 || given[index]! >= want[index]!) continue;
      given[index]! += 1;
      left -= 1;
      isMoving = true;
    }
  }
  return sections.flatMap(({ title, lines, total }, index) => {
    const shown = given[index]!;
    if (shown === 0) return [];
    const more = total > shown ? `  (${shown} of ${total})` : '';
    const heading = colors.cyan(cutEnd(`${title}${more}`, columns));
    return [...(overhead === 2 ? [''] : []), heading, ...lines.slice(0, shown)];
  });
}

/** The right part at the right edge, the left one cut to what is left. */
function twoParts(left: string, right: string, columns: number): string {
  const room = columns - displayWidth(right) - 2;
  if (room < 4) return cutEnd(`${left}  ${right}`, columns);
  return `${pad(cutMiddle(left, room), room)}  ${right}`;
}

function nameWidth(names: readonly string[], columns: number): number {
  const widest = Math.max(4, ...names.map((name) => displayWidth(harmless(name))));
  return Math.min(widest, Math.floor(columns / 4));
}

/** Whole seconds. */
function ageText(ms: number): string {
  return shortDuration(Math.max(0, Math.floor(ms / 1_000) * 1_000));
}

function msText(ms: number): string {
  return shortDuration(Math.round(ms));
}
