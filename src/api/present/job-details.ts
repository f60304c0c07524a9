/** One job with its definition, its next due times, and its runs: the definition is read from etcd, since it may be edited. */
import { stringify } from 'yaml';
import { decodeMark, ownerOf } from '../../apply/job-sets.js';
import { singleKey } from '../../etcd/store.js';
import {
  isPausedForGood,
  parseJobValue,
  scheduleOf,
  scheduleOptionsOf,
  serializeDefinition,
  YAML_STYLE,
} from '../../jobs/index.js';
import { findJob } from '../../operations/find-job.js';
import { firingState } from '../../operations/firing-state.js';
import { describeBounds, preview } from '../../schedule/index.js';
import type { ApiContext } from '../context.js';
import type { ClusterReader } from '../reader/cluster-reader.js';
import { digestOf } from '../reader/job-book.js';
import { newestFirst } from '../reader/run-item.js';
import type { JobDetails } from '../schemas/jobs.js';
import { jobToJson } from './job-view.js';
import { firingToRun, recordToRun } from './run-view.js';
import { dueToJson, problemToJson } from './text.js';
import { oldestFirst } from './worker-view.js';

const DUE_TIMES = 10;
const RUNS = 20;
const UNDER_WAY = 50;

/** Rejects with ETCRON_JOB_NOT_FOUND. */
export async function readJobDetails(
  { store, keys, clock }: ApiContext,
  reader: ClusterReader,
  name: string,
): Promise<JobDetails> {
  const [entry, marks, live, feed] = await Promise.all([
    findJob({ store, keys }, name),
    store.range(singleKey(keys.setOf(name))),
    reader.live.use(),
    reader.feed.use(),
  ]);
  const nowMs = clock.now();
  const parsed = parseJobValue(name, entry.kv.value);
  const definition = parsed.ok
    ? (JSON.parse(serializeDefinition(parsed.definition)) as JobDetails['definition'])
    : null;
  const { job } = entry;
  const { view } = live;
  const underWay = [...(view.firingsByJob.get(name)?.values() ?? [])]
    .filter((firing) => firingState(firing, view.workers, nowMs) !== 'planned')
    .sort(oldestFirst);
  const isComing = job !== null && !entry.isDone && !isPausedForGood(job);
  return {
    ...jobToJson(live, feed, digestOf(entry), nowMs),
    key: keys.job(name),
    set: ownerOf(entry.kv, marks.kvs[0] && decodeMark(marks.kvs[0])),
    definition,
    text: entry.kv.value.toString('utf8'),
    yaml: definition === null ? null : stringify(definition, YAML_STYLE),
    problems: entry.problems.map(problemToJson),
    bounds: job === null ? '' : describeBounds(scheduleOptionsOf(job)),
    maxRuns: job?.maxRuns ?? null,
    runsCounted: (job?.maxRuns ?? null) === null ? null : entry.runs,
    limits: [...(job?.limits ?? [])],
    recovery: job?.recovery ?? null,
    dueTimes: isComing ? preview(scheduleOf(job), nowMs, DUE_TIMES).map(dueToJson) : [],
    underWay: underWay.slice(0, UNDER_WAY).map((firing) => firingToRun(view, firing, nowMs)),
    lastRuns: [...feed.shelf.ofJob(name)]
      .sort((a, b) => newestFirst(a.id, b.id))
      .slice(0, RUNS)
      .map(recordToRun),
  };
}
