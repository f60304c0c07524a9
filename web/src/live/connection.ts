/**
 * The stream of changes, and what the page knows of its connection.
 *
 * States: `connecting` (first try) → `live` ⇄ `lost`. It is lost as soon as the stream breaks, the browser says that it is
 * offline, or any request stays without an answer; it is live again when the stream is open again. What happened
 * meanwhile is not replayed: everything that is shown is asked for again. A stream that broke is opened after 1 s, then
 * later and later up to 15 s, and at once when the viewer comes back to the page.
 *
 * Half-open connections break nothing, so after a time of silence a small request finds out.
 *
 * Beyond that the server itself may be cut off from etcd: it answers from what it knew last, and says since when, with each answer
 * and by an event (`staleSinceMs`).
 */
import { computed, signal } from '@preact/signals';
import { onRead, onUnauthorized, request } from '../api/client.js';
import { asProblem } from '../api/problem.js';
import { now, serverNow } from './now.js';

export type ConnectionState = 'connecting' | 'live' | 'lost';
export type Topic = 'jobs' | 'firings' | 'runs' | 'workers' | 'leader';

export interface LiveEvent {
  readonly topic: Topic;
  readonly data: unknown;
}

export const connection = signal<ConnectionState>('connecting');
/** When the server was last heard of, by its clock. */
export const lastHeardMs = signal(serverNow());
/** The server does not follow etcd since then, by its own clock; null while it does. */
export const staleSinceMs = signal<number | null>(null);
/** How old what is shown may be, in ms; 0 while the connection is live. */
export const ageMs = computed(() =>
  connection.value === 'live' ? 0 : Math.max(0, now.value - lastHeardMs.value),
);

const TOPICS: readonly Topic[] = ['jobs', 'firings', 'runs', 'workers', 'leader'];
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 15_000;
/** Silence after which the server is asked whether it is there. */
const SILENCE_MS = 30_000;

const eventListeners = new Set<(event: LiveEvent) => void>();
const refreshListeners = new Set<() => void>();
let source: EventSource | null = null;
let retryTimer: number | undefined;
let retryMs = FIRST_RETRY_MS;
let wasLive = false;
let running = false;

/** Each change, as it comes. Returns the function that ends it. */
export function onEvent(listener: (event: LiveEvent) => void): () => void {
  eventListeners.add(listener);
  return () => eventListeners.delete(listener);
}

/** Called when everything that is shown must be asked for again. */
export function onRefresh(listener: () => void): () => void {
  refreshListeners.add(listener);
  return () => refreshListeners.delete(listener);
}

/** Call once the session is known; idempotent. */
export function connect(): void {
  if (running) return;
  running = true;
  retryMs = FIRST_RETRY_MS;
  open();
}

/** Until `connect` is called again. */
export function disconnect(): void {
  running = false;
  close();
}

/** Any answer of the server counts as a sign of life. */
export function noteHeard(): void {
  lastHeardMs.value = serverNow();
}

/** What the server says of its own knowledge: an ISO time, or null while it is current. */
export function noteStale(since: string | null): void {
  const sinceMs = since === null ? NaN : Date.parse(since);
  const was = staleSinceMs.peek();
  staleSinceMs.value = Number.isNaN(sinceMs) ? null : sinceMs;
  // What was asked for meanwhile is old.
  if (was !== null && staleSinceMs.peek() === null) for (const listener of refreshListeners) listener();
}

/** A request stayed without an answer. */
export function noteUnreachable(): void {
  if (running && connection.peek() !== 'lost') lose();
}

/** Tries at once. */
export function retryNow(): void {
  if (!running || connection.peek() === 'live') return;
  retryMs = FIRST_RETRY_MS;
  open();
}

function open(): void {
  close();
  const stream = new EventSource('/api/v1/events');
  source = stream;
  stream.onopen = () => {
    retryMs = FIRST_RETRY_MS;
    noteHeard();
    const again = wasLive;
    wasLive = true;
    connection.value = 'live';
    if (again) for (const listener of refreshListeners) listener();
  };
  stream.onerror = () => lose();
  for (const topic of TOPICS) {
    stream.addEventListener(topic, (message) => {
      noteHeard();
      const data = parse(message.data);
      for (const listener of eventListeners) listener({ topic, data });
    });
  }
  stream.addEventListener('stale', (message) => {
    noteHeard();
    const data = parse(message.data);
    const since = typeof data === 'object' && data !== null && 'since' in data ? data.since : null;
    noteStale(typeof since === 'string' ? since : null);
  });
  stream.addEventListener('reset', () => {
    noteHeard();
    for (const listener of refreshListeners) listener();
  });
}

function lose(): void {
  close();
  if (!running) return;
  connection.value = 'lost';
  // A refused stream does not say why: an expired token, or nobody there.
  request('session').then(noteHeard, (error: unknown) => {
    if (asProblem(error).status > 0) noteHeard();
  });
  retryTimer = window.setTimeout(open, retryMs);
  retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
}

function close(): void {
  window.clearTimeout(retryTimer);
  source?.close();
  source = null;
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

window.addEventListener('offline', () => noteUnreachable());
window.addEventListener('online', () => retryNow());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) retryNow();
});
onUnauthorized(() => disconnect());
onRead((headers) => noteStale(headers.get('etcron-stale-since')));
now.subscribe((nowMs) => {
  if (!running || connection.peek() !== 'live' || nowMs - lastHeardMs.peek() < SILENCE_MS) return;
  noteHeard();
  request('session').then(noteHeard, (error: unknown) => {
    if (asProblem(error).isUnreachable) noteUnreachable();
  });
});
