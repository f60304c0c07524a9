/**
 * What happens in the cluster, as frames of server-sent events: gathered for a fraction of a second, so that a thousand firings a
 * second make five frames and not thousands, made once for all listeners, and kept for a while for those who come back.
 *
 * - A frame tells the state of things at its end, not each step on the way. Whoever has all frames up to a position, or more,
 *   and a list that is not older than the first of them, is up to date.
 * - The id stands in the last event of a frame alone: a frame that was cut in the middle is sent anew.
 * - What changes by the clock alone is looked for now and then while somebody listens. It moves no position.
 * - While the watches are not live nothing comes: `stale` says so, and when that is over.
 * - What is kept is bounded. Whoever comes back too late, or from ahead of us (etcd was restored from a backup, or this node lags),
 *   is told to begin anew by `reset`.
 */
import type { Clock, Timer } from '../../clock.js';
import type { Service } from '../../service.js';
import type { ViewChanges, WorkerEntry } from '../../view/cluster-view.js';
import { stalest } from '../reader/freshness.js';
import { firingToRun, recordToRun } from '../present/run-view.js';
import { isoText } from '../present/text.js';
import { leaderOf, workerToJson } from '../present/worker-view.js';
import type { ClusterReader } from '../reader/cluster-reader.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunChanges, RunFeed } from '../reader/run-feed.js';
import type { RunItem } from '../reader/run-item.js';
import type { EventData, EventName } from '../schemas/events.js';
import { ClockChanges } from './clock-changes.js';
import { formatPosition, parsePosition, reaches, type StreamPosition } from './stream-position.js';

export interface EventSourceOptions {
  readonly gatherMs?: number;
  readonly maxFrames?: number;
  readonly maxBytes?: number;
  readonly maxListed?: number;
  /** What whoever comes back is sent at once: a listener for whom much more waits is cut off. */
  readonly maxReplayLength?: number;
}

interface Frame {
  readonly position: StreamPosition;
  readonly text: string;
}

const DEFAULTS = {
  ...{ gatherMs: 200, maxFrames: 3_000, maxBytes: 16 * 2 ** 20, maxListed: 500 },
  maxReplayLength: 2 * 2 ** 20,
} as const;
/** A worker's load changes with each firing; nobody reads faster than this. */
const WORKERS_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 2_000;

export class EventSource implements Service {
  readonly #reader: ClusterReader;
  readonly #clock: Clock;
  readonly #options: Required<EventSourceOptions>;
  readonly #listeners = new Set<(text: string) => void>();
  readonly #ends: (() => void)[] = [];
  #live: LiveView | null = null;
  #feed: RunFeed | null = null;
  #frames: Frame[] = [];
  #bytes = 0;
  /** What came before the first frame that is kept. */
  #floor: StreamPosition = { main: 0, runs: 0, workers: 0 };
  #timer: Timer | null = null;
  #lookTimer: Timer | null = null;
  #clockChanges: ClockChanges | null = null;
  #toldStaleMs: number | null = null;
  #workersToldMs = -Infinity;
  #changed = new Gathered();

  constructor(reader: ClusterReader, clock: Clock, options: EventSourceOptions = {}) {
    this.#reader = reader;
    this.#clock = clock;
    this.#options = { ...DEFAULTS, ...options };
  }

  async start(): Promise<void> {
    const holds = [this.#reader.live.hold(), this.#reader.feed.hold()] as const;
    // One of them may be held although the other cannot be had: `stop` lets go of it.
    for (const result of await Promise.allSettled(holds))
      if (result.status === 'fulfilled') this.#ends.push(result.value.release);
    const [live, feed] = await Promise.all(holds);
    this.#live = live.service;
    this.#feed = feed.service;
    await live.service.jobs.ready();
    this.#floor = this.#position();
    this.#clockChanges = new ClockChanges(live.service);
    this.#clockChanges.look(this.#clock.now());
    this.#lookLater();
    this.#ends.push(
      live.service.view.onChange((changes) => this.#onView(changes)),
      feed.service.onChange((changes) => this.#onRuns(changes)),
    );
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#lookTimer?.cancel();
    for (const end of this.#ends.splice(0)) end();
    return Promise.resolve();
  }

  /**
   * What a listener has to be sent first: everything since `lastId`, or `reset`; for a new one where it begins. From then on
   * `listener` is called with each frame. Returns the function that ends that, too.
   */
  listen(
    lastId: string | null,
    listener: (text: string) => void,
  ): { readonly first: string; readonly end: () => void } {
    const begin = lastId === null ? this.#ready() : this.#since(lastId);
    this.#listeners.add(listener);
    const first = this.#toldStaleMs === null ? begin : begin + staleText(this.#toldStaleMs);
    return { first, end: () => this.#listeners.delete(listener) };
  }

  #since(lastId: string): string {
    const seen = parsePosition(lastId);
    const now = this.#toldPosition();
    if (seen === null || !reaches(this.#floor, seen) || !reaches(seen, now))
      return this.#reset('what happened since then is not known here any more');
    const missed = this.#missedSince(seen);
    const length = missed.reduce((sum, { text }) => sum + text.length, 0);
    if (length > this.#options.maxReplayLength) return this.#reset('too much happened since then');
    return missed.map(({ text }) => text).join('') + this.#ready();
  }

  /**
   * Several frames can have one position, since workers are told of later than they change: of those it may have been the first
   * that was seen, and the others come again.
   */
  #missedSince(seen: StreamPosition): Frame[] {
    const from = this.#frames.findIndex(({ position }) => reaches(seen, position));
    const first = this.#frames[from];
    if (first === undefined) return [];
    const isSeen = reaches(first.position, seen) && !reaches(seen, this.#floor);
    return this.#frames.slice(isSeen ? from + 1 : from);
  }

  #ready(): string {
    const at = isoText(this.#clock.now());
    return event('ready', { revision: this.#toldPosition().main, at }, this.#toldPosition());
  }

  #reset(reason: string): string {
    return event('reset', { reason, at: isoText(this.#clock.now()) }, this.#toldPosition());
  }

  /** Up to where the frames go; what is being gathered lies beyond. */
  #toldPosition(): StreamPosition {
    return this.#frames.at(-1)?.position ?? this.#floor;
  }

  #position(): StreamPosition {
    const { view, workersRevision: workers } = this.#live!;
    return { main: view.revision, runs: this.#feed!.revision, workers };
  }

  #onView(changes: ViewChanges): void {
    const gathered = this.#changed;
    const { view } = this.#live!;
    for (const name of changes.jobs.keys()) gathered.jobs.add(name);
    for (const [runId, before] of changes.firings) {
      gathered.firings.add(runId);
      const after = view.firings.get(runId);
      for (const node of [before?.value.node, after?.value.node]) if (node) gathered.workers.add(node);
    }
    for (const [node, before] of changes.workers)
      if (!differsInClockOnly(before, view.workers.get(node))) gathered.workers.add(node);
    for (const runId of changes.kills) if (view.firings.has(runId)) gathered.firings.add(runId);
    for (const { nodeId, value } of view.workers.values())
      if (changes.drains.has(value.name)) gathered.workers.add(nodeId);
    if (changes.leader) {
      gathered.leader = true;
      for (const node of view.workers.keys()) gathered.workers.add(node);
    }
    if (!gathered.isEmpty) this.#flushLater();
  }

  #onRuns({ ended, relisted }: RunChanges): void {
    this.#changed.ended.push(...ended);
    this.#changed.relisted ||= relisted;
    if (!this.#changed.isEmpty) this.#flushLater();
  }

  #lookLater(): void {
    this.#lookTimer = this.#clock.setTimer(LOOK_EVERY_MS, () => {
      if (this.#listeners.size > 0) this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { jobs, firings } = this.#clockChanges!.look(this.#clock.now());
    for (const name of jobs) this.#changed.jobs.add(name);
    for (const runId of firings) this.#changed.firings.add(runId);
    if (jobs.length + firings.length > 0) this.#flushLater();
    const staleMs = stalest(this.#live!.staleSinceMs, this.#feed!.staleSinceMs);
    if (staleMs === this.#toldStaleMs) return;
    this.#toldStaleMs = staleMs;
    // Of now, and not to be told to those who come back later.
    for (const listener of [...this.#listeners]) listener(staleText(staleMs));
  }

  #flushLater(): void {
    this.#timer ??= this.#clock.setTimer(this.#options.gatherMs, () => {
      this.#timer = null;
      this.#flush();
    });
  }

  #flush(): void {
    const gathered = this.#changed;
    this.#changed = new Gathered();
    const events = [
      ...this.#jobs(gathered),
      ...this.#firings(gathered),
      ...this.#runs(gathered),
      ...this.#workers(gathered),
      ...(gathered.leader ? [toText('leader', { leader: leaderOf(this.#live!.view) })] : []),
    ];
    if (gathered.relisted) {
      const reason = 'the run records were read anew';
      events.push(toText('reset', { reason, at: isoText(this.#clock.now()) }));
    }
    if (events.length === 0) return;
    const position = this.#position();
    const last = events.pop()!;
    this.#keep({ position, text: `${events.join('')}id: ${formatPosition(position)}\n${last}` });
  }

  #keep(frame: Frame): void {
    const { maxFrames, maxBytes } = this.#options;
    this.#frames.push(frame);
    this.#bytes += frame.text.length;
    while (this.#frames.length > 1 && (this.#frames.length > maxFrames || this.#bytes > maxBytes)) {
      const dropped = this.#frames.shift()!;
      this.#bytes -= dropped.text.length;
      this.#floor = dropped.position;
    }
    for (const listener of [...this.#listeners]) listener(frame.text);
  }

  #jobs({ jobs: names }: Gathered): string[] {
    if (names.size === 0) return [];
    const { jobs, view } = this.#live!;
    const nowMs = this.#clock.now();
    const { listed, more } = this.#bounded(names);
    const changed: EventData<'jobs'>['changed'] = [];
    for (const name of listed) {
      const digest = jobs.get(name);
      if (digest) changed.push({ name, state: jobs.state(digest, nowMs), revision: digest.revision });
    }
    return [toText('jobs', { changed, removed: listed.filter((name) => !view.jobs.has(name)), more })];
  }

  #firings({ firings }: Gathered): string[] {
    if (firings.size === 0) return [];
    const { view } = this.#live!;
    const nowMs = this.#clock.now();
    const { listed, more } = this.#bounded(firings);
    const changed = listed.flatMap((runId) => {
      const firing = view.firings.get(runId);
      return firing ? [firingToRun(view, firing, nowMs)] : [];
    });
    return [
      toText('firings', { changed, removed: listed.filter((runId) => !view.firings.has(runId)), more }),
    ];
  }

  #runs({ ended }: Gathered): string[] {
    if (ended.length === 0) return [];
    const { listed, more } = this.#bounded(ended);
    return [toText('runs', { ended: listed.map(recordToRun), more })];
  }

  /** Not more than once in a while: what comes too soon is gathered on. */
  #workers({ workers }: Gathered): string[] {
    if (workers.size === 0) return [];
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#workersToldMs < WORKERS_EVERY_MS) {
      for (const node of workers) this.#changed.workers.add(node);
      this.#timer ??= this.#clock.setTimer(WORKERS_EVERY_MS - (nowMs - this.#workersToldMs), () => {
        this.#timer = null;
        this.#flush();
      });
      return [];
    }
    this.#workersToldMs = nowMs;
    const { view } = this.#live!;
    const { listed, more } = this.#bounded(workers);
    const changed = listed.flatMap((node) => {
      const worker = view.workers.get(node);
      return worker ? [workerToJson(view, worker, this.#clock.now())] : [];
    });
    return [toText('workers', { changed, removed: listed.filter((node) => !view.workers.has(node)), more })];
  }

  #bounded<T>(items: Iterable<T>): { listed: T[]; more: boolean } {
    const all = [...items];
    const { maxListed } = this.#options;
    return { listed: all.slice(0, maxListed), more: all.length > maxListed };
  }
}

/** What changed since the last frame. */
class Gathered {
  readonly jobs = new Set<string>();
  readonly firings = new Set<string>();
  readonly workers = new Set<string>();
  readonly ended: RunItem[] = [];
  leader = false;
  relisted = false;

  get isEmpty(): boolean {
    const { jobs, firings, workers, ended, leader, relisted } = this;
    return jobs.size + firings.size + workers.size + ended.length === 0 && !leader && !relisted;
  }
}

function staleText(sinceMs: number | null): string {
  return toText('stale', { since: sinceMs === null ? null : isoText(sinceMs) });
}

/** Workers write their clocks every few seconds, and nobody needs to be told. */
function differsInClockOnly(before: WorkerEntry | undefined, after: WorkerEntry | undefined): boolean {
  if (!before || !after) return false;
  return JSON.stringify({ ...before.value, clock: 0 }) === JSON.stringify({ ...after.value, clock: 0 });
}

function toText<Name extends EventName>(name: Name, data: EventData<Name>): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function event<Name extends EventName>(name: Name, data: EventData<Name>, position: StreamPosition): string {
  return `id: ${formatPosition(position)}\n${toText(name, data)}`;
}
