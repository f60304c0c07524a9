/** The list of jobs: searched, sorted, by pages. */
import type { z } from 'zod';
import { decodeCursor, encodeCursor } from '../lists.js';
import type { JobDigest } from '../reader/job-book.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { jobList, listJobsQuery } from '../schemas/jobs.js';
import { isFailure } from './cluster-status.js';
import { countFirings, jobToJson } from './job-view.js';

type Query = z.output<typeof listJobsQuery>;
type SortValue = string | number | null;

interface Row {
  readonly digest: JobDigest;
  readonly value: SortValue;
}

export function listJobsPage(
  live: LiveView,
  feed: RunFeed,
  query: Query,
  nowMs: number,
): z.output<typeof jobList> {
  const { jobs } = live;
  const field = query.sort.replace(/^-/, '');
  const sign = query.sort.startsWith('-') ? -1 : 1;
  const matches = filterOf(live, feed, query, nowMs);
  const valueOf = (digest: JobDigest): SortValue => {
    if (field === 'next') return jobs.nextDue(digest, nowMs);
    if (field === 'lastRun') return feed.shelf.newestOf(digest.name)?.id.dueMs ?? null;
    if (field === 'state') return jobs.state(digest, nowMs);
    return digest.name;
  };
  const rows: Row[] = [];
  for (const name of jobs.names) {
    const digest = jobs.get(name);
    if (digest && matches(digest)) rows.push({ digest, value: valueOf(digest) });
  }
  const compare = (a: Row, b: Row): number => compareRows(a, b, sign);
  // The names are in order already.
  if (query.sort !== 'name') rows.sort(compare);
  const from = query.cursor === undefined ? 0 : indexAfter(rows, query.cursor, compare);
  const page = rows.slice(from, from + query.limit);
  const last = page.at(-1);
  return {
    jobs: page.map(({ digest }) => jobToJson(live, feed, digest, nowMs)),
    total: rows.length,
    next: last && from + query.limit < rows.length ? encodeCursor([last.value, last.digest.name]) : null,
  };
}

/** What has no value comes last, whichever way it is sorted; what is equal is in the order of names. */
function compareRows(a: Row, b: Row, sign: number): number {
  const [x, y] = [a.value, b.value];
  if (x !== y) {
    if (x === null) return 1;
    if (y === null) return -1;
    return x < y ? -sign : sign;
  }
  return a.digest.name < b.digest.name ? -1 : a.digest.name > b.digest.name ? 1 : 0;
}

function indexAfter(rows: readonly Row[], cursor: string, compare: (a: Row, b: Row) => number): number {
  const [value, name] = decodeCursor(cursor, 2);
  const after = { value: value!, digest: { name: String(name) } as JobDigest };
  const index = rows.findIndex((row) => compare(row, after) > 0);
  return index < 0 ? rows.length : index;
}

function filterOf(
  live: LiveView,
  feed: RunFeed,
  { q, state, label }: Query,
  nowMs: number,
): (digest: JobDigest) => boolean {
  const text = q?.trim().toLowerCase() ?? '';
  const [, labelName, labelValue] = /^([^=]*)(?:=(.*))?$/s.exec(label ?? '') ?? [];
  const isInState = (digest: JobDigest): boolean => {
    if (state === undefined) return true;
    const own = live.jobs.state(digest, nowMs);
    return state.some((wanted) => {
      if (wanted === 'running' || wanted === 'late')
        return countFirings(live, digest.name, nowMs)[wanted] > 0;
      if (wanted === 'cannot-run') return own === 'ok' && live.jobs.cannotRun(digest) !== null;
      if (wanted === 'failing') return isFailing(feed, digest.name);
      return wanted === own;
    });
  };
  return (digest) => {
    if (text !== '' && !digest.text.includes(text)) return false;
    if (label !== undefined) {
      const own = Object.hasOwn(digest.labels, labelName!) ? digest.labels[labelName!] : undefined;
      if (own === undefined || (labelValue !== undefined && own !== labelValue)) return false;
    }
    return isInState(digest);
  };
}

function isFailing(feed: RunFeed, job: string): boolean {
  const last = feed.shelf.newestOf(job);
  return last !== undefined && isFailure(last);
}
