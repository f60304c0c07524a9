/**
 * Where everything lies in etcd. The names under the prefix are chosen so that what a node mirrors in one watch
 * (counts, cursor, drain, firings, handover, jobs, kill, leader, limits) is one contiguous range, which gives a totally ordered,
 * consistent view.
 */
import { JOB_NAME_PATTERN } from '../jobs/job-name.js';
import { BoundedCache } from '../schedule/bounded-cache.js';
import { isoMs } from './record.js';
import { prefixRange, type KeyRange } from './store.js';

export const DEFAULT_PREFIX = '/cron';

export { JOB_NAME_PATTERN };

/** One due time of one job, plus a suffix for firings outside the schedule (`manual-<id>`) or per node. */
export interface FiringId {
  readonly job: string;
  /** Due time in ms since the epoch. */
  readonly dueMs: number;
  readonly suffix: string | null;
}

const DUE_PATTERN = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)(?:\+(.{1,200}))?$/s;

/** Each due time is written and read some ten times by each node, within seconds; `Date` takes a microsecond for it. */
const DUE_TIMES_KEPT = 4096;
const dueTexts = new BoundedCache<number, string>(DUE_TIMES_KEPT);
const dueTimes = new BoundedCache<string, number>(DUE_TIMES_KEPT);

function dueText(dueMs: number): string {
  return dueTexts.getOrMake(dueMs, () => new Date(dueMs).toISOString());
}

/** NaN for a text that is no time, such as a 30th of February. */
function dueTime(text: string): number {
  return dueTimes.getOrMake(text, () => isoMs(text) ?? NaN);
}

/** `<due>[+suffix]`, the last part of firing, lock, run and kill keys. */
export function duePart(id: FiringId): string {
  const due = dueText(id.dueMs);
  return id.suffix === null ? due : `${due}+${id.suffix}`;
}

/** `<job>/<due>[+suffix]`: how a run is named everywhere: in keys, logs, the command line and the API. */
export function formatRunId(id: FiringId): string {
  return `${id.job}/${duePart(id)}`;
}

/** `on-<worker>`, alone or after a dot: the run of one worker, of a job that runs on all of them. */
const OF_ONE_WORKER = /(?:^|\.)on-(.+)$/s;

/** The worker whose run it is, where the job runs on all of them; null for any other firing. */
export function onlyWorkerOf({ suffix }: FiringId): string | null {
  return (suffix === null ? undefined : OF_ONE_WORKER.exec(suffix)?.[1]) ?? null;
}

/** Whose slots a firing takes: those of its job, and where that runs everywhere those of the job on its worker. */
export function slotGroup(id: FiringId): string {
  const worker = onlyWorkerOf(id);
  return worker === null ? id.job : `${id.job}/on-${worker}`;
}

/** The fields that every log line about a firing carries, beside the node. */
export function firingFacts(id: FiringId): { job: string; due: string } {
  return { job: id.job, due: duePart(id) };
}

/** The inverse of `formatRunId`; null for anything else. */
export function parseRunId(text: string): FiringId | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const job = text.slice(0, slash);
  const match = DUE_PATTERN.exec(text.slice(slash + 1));
  if (!match || !JOB_NAME_PATTERN.test(job)) return null;
  const dueMs = dueTime(match[1]!);
  if (Number.isNaN(dueMs)) return null;
  return { job, dueMs, suffix: match[2] ?? null };
}

/** All keys below one prefix. */
export class Keys {
  readonly prefix: string;
  /** How many runs jobs with `maxRuns` have had. */
  readonly counts: string;
  readonly cursor: string;
  /** Requests that workers take nothing more, by the worker's name. */
  readonly drains: string;
  /** A request that the leader gives its office up. */
  readonly handover: string;
  readonly leader: string;
  readonly jobs: string;
  readonly firings: string;
  readonly locks: string;
  readonly slots: string;
  readonly runs: string;
  readonly kills: string;
  /** The sizes of limits that jobs share, and who holds what of them. */
  readonly limits: string;
  readonly limitSlots: string;
  readonly workers: string;
  /** Which set of files manages a job. Read by the command line alone. */
  readonly sets: string;
  /** Whose tokens may use the API, and who changed what. Outside of what is mirrored. */
  readonly access: string;
  readonly tokens: string;
  readonly audit: string;
  /** What the nodes of a cluster know each other by. */
  readonly secret: string;

  constructor(prefix: string = DEFAULT_PREFIX) {
    this.prefix = prefix;
    this.counts = `${prefix}/counts/`;
    this.cursor = `${prefix}/cursor`;
    this.drains = `${prefix}/drain/`;
    this.handover = `${prefix}/handover`;
    this.leader = `${prefix}/leader`;
    this.jobs = `${prefix}/jobs/`;
    this.firings = `${prefix}/firings/`;
    this.locks = `${prefix}/lock/`;
    this.slots = `${prefix}/slots/`;
    this.runs = `${prefix}/runs/`;
    this.kills = `${prefix}/kill/`;
    this.limits = `${prefix}/limits/`;
    // Outside of what is mirrored: a firing shows what it holds.
    this.limitSlots = `${prefix}/slots-of-limits/`;
    this.workers = `${prefix}/workers/`;
    this.sets = `${prefix}/sets/`;
    this.access = `${prefix}/access/`;
    this.tokens = `${this.access}tokens/`;
    this.audit = `${this.access}audit/`;
    this.secret = `${this.access}secret`;
  }

  /** counts, cursor, drain, firings, handover, jobs, kill, leader and limits: everything that a node mirrors but the workers. */
  get mirrored(): KeyRange {
    return { start: this.counts, end: `${this.prefix}/lock` };
  }

  get mirroredWorkers(): KeyRange {
    return prefixRange(this.workers);
  }

  job(name: string): string {
    return this.jobs + name;
  }

  count(job: string): string {
    return this.counts + job;
  }

  setOf(job: string): string {
    return this.sets + job;
  }

  token(id: string): string {
    return this.tokens + id;
  }

  /** `name`: of the worker, not of one of its lives. */
  drain(name: string): string {
    return this.drains + name;
  }

  worker(nodeId: string): string {
    return this.workers + nodeId;
  }

  firing(id: FiringId): string {
    return this.firings + formatRunId(id);
  }

  lock(id: FiringId): string {
    return this.locks + formatRunId(id);
  }

  run(id: FiringId): string {
    return this.runs + formatRunId(id);
  }

  kill(id: FiringId): string {
    return this.kills + formatRunId(id);
  }

  /** `group`: see `slotGroup`. */
  slot(group: string, index: number): string {
    return `${this.slots}${group}/${index}`;
  }

  limit(name: string): string {
    return this.limits + name;
  }

  limitSlot(name: string, index: number): string {
    return `${this.limitSlots}${name}/${index}`;
  }

  firingsOf(job: string): KeyRange {
    return prefixRange(`${this.firings}${job}/`);
  }

  runsOf(job: string): KeyRange {
    return prefixRange(`${this.runs}${job}/`);
  }
}
