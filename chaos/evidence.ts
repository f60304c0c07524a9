/** What the commands themselves noted: read from their file, one attempt at a time. */
import { existsSync, readFileSync } from 'node:fs';
import { parseRunId } from '../src/etcd/keys.js';

/** Another process that lived when it must not have. */
export interface Neighbour {
  readonly runId: string;
  readonly attempt: number;
  readonly workerPid: number;
}

/** One process of one attempt. Times are of the machine's true clock, in ms with microseconds. */
export interface ObservedAttempt {
  readonly runId: string;
  readonly job: string;
  readonly dueMs: number;
  readonly attempt: number;
  readonly fencingToken: number;
  /** Of the worker process that started it. */
  readonly workerPid: number;
  readonly startedAtMs: number;
  /** Its last line. */
  lastSeenMs: number;
  /** Null: it never came to its own end. */
  exitCode: number | null;
  readonly beside: Neighbour[];
}

/** In the order of their starts. Throws for a line that no command can have written. */
export function readEvidence(file: string): ObservedAttempt[] {
  return existsSync(file) ? parseEvidence(readFileSync(file, 'utf8')) : [];
}

export function parseEvidence(text: string): ObservedAttempt[] {
  const attempts: ObservedAttempt[] = [];
  /** The process that writes now, by what tells processes of one firing apart: a lock's revision and the attempt. */
  const open = new Map<string, ObservedAttempt>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [runId = '', attempt, token, workerPid, micros, what, detail = '-'] = line.split(' ');
    const id = parseRunId(runId);
    if (id === null) throw new Error(`evidence that cannot be read: ${line}`);
    const atMs = Number(micros) / 1000;
    const name = `${runId} ${attempt} ${workerPid}`;
    if (what === 'start') {
      const started: ObservedAttempt = {
        ...{ runId, job: id.job, dueMs: id.dueMs, attempt: Number(attempt), fencingToken: Number(token) },
        ...{ workerPid: Number(workerPid), startedAtMs: atMs, lastSeenMs: atMs, exitCode: null, beside: [] },
      };
      attempts.push(started);
      open.set(name, started);
      continue;
    }
    const one = open.get(name);
    if (!one) throw new Error(`evidence without a start: ${line}`);
    one.lastSeenMs = atMs;
    if (what === 'end') one.exitCode = Number(detail);
    if (what === 'beside') {
      const [otherRun = '', otherAttempt, otherPid] = detail.split(',');
      one.beside.push({ runId: otherRun, attempt: Number(otherAttempt), workerPid: Number(otherPid) });
    }
  }
  return attempts.sort((a, b) => a.startedAtMs - b.startedAtMs);
}
