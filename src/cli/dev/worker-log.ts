/** Which of the lines that a worker logs are worth a place in the feed. */
import type { FeedEvent } from './feed-event.js';
import { harmless } from './text-width.js';

type LogEvent = Extract<FeedEvent, { kind: 'log' }>;

/** pino's numbers for its levels. */
const WARN = 40;
const ERROR = 50;
/** All workers notice the same things: what one of them said is not repeated for the others for so long. */
const REPEAT_MS = 10_000;
const MAX_REMEMBERED = 1_000;
/** Fields that say nothing to a person at a terminal, or that the line names anyway. */
const HIDDEN = new Set([
  'level',
  'time',
  'msg',
  'name',
  'node',
  'pid',
  'hostname',
  'code',
  'details',
  'stack',
]);

export class WorkerLog {
  readonly #saidAtMs = new Map<string, number>();

  /** The event for one line of the output of worker `name`, or null when the feed does well without it. */
  read(name: string, line: string, isError: boolean, atMs: number): LogEvent | null {
    const found = judge(line, isError);
    if (found === null || this.#isRepeated(found.text, atMs)) return null;
    return { kind: 'log', atMs, name, ...found };
  }

  #isRepeated(text: string, atMs: number): boolean {
    const before = this.#saidAtMs.get(text);
    if (before !== undefined && atMs - before < REPEAT_MS) return true;
    if (this.#saidAtMs.size >= MAX_REMEMBERED) this.#saidAtMs.clear();
    this.#saidAtMs.set(text, atMs);
    return false;
  }
}

function judge(line: string, isError: boolean): Pick<LogEvent, 'level' | 'text'> | null {
  const entry = parse(line);
  // Not a log line: what the program says before it has a logger, or when it breaks.
  if (entry === null) return isError && line.trim() !== '' ? { level: 'error', text: line } : null;
  const level = typeof entry.level === 'number' ? entry.level : 0;
  if (level < WARN || isInFeedAnyway(entry)) return null;
  const facts = Object.entries(entry).flatMap(([field, value]) => {
    const shown = HIDDEN.has(field) ? null : factText(value);
    return shown === null ? [] : [`${field}=${shown}`];
  });
  const text = harmless([factText(entry.msg) ?? '', ...facts].join(' '));
  return { level: level >= ERROR ? 'error' : 'warn', text };
}

/** The ends of firings, missed due times and broken jobs: the feed reads them from etcd. */
function isInFeedAnyway(entry: Readonly<Record<string, unknown>>): boolean {
  return 'outcome' in entry || 'missed' in entry || ('job' in entry && 'path' in entry && 'message' in entry);
}

function parse(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Errors by their message, lists as JSON; null for nothing. */
function factText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && 'message' in value) return factText(value.message);
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? null);
}
