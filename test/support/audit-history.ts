/**
 * What etcd's own history says about a `MemoryCluster`: the cursor, the leader's writes, bounds on attempts, waits
 * before retries, concurrency. Each function gives back what is wrong.
 */
import { parseRunId } from '../../src/etcd/keys.js';
import { decodeRecord } from '../../src/etcd/record.js';
import { NODE_DEFAULTS } from '../../src/node/options.js';
import { isBehind } from '../../src/plan/order.js';
import { cursorRecordSchema, type CursorRecord } from '../../src/view/cursor-record.js';
import { decodeFiring, type FiringRecord } from '../../src/view/firing-record.js';
import type { FakeProcess, MemoryCluster } from './memory-cluster.js';

type Definitions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** `definitions`: of jobs that were never changed. */
export function auditHistory(cluster: MemoryCluster, definitions: Definitions): string[] {
  return [
    ...cursorAndLeader(cluster),
    ...startsBeforeTheirTime(cluster),
    ...Object.entries(definitions).flatMap(([job, definition]) => [
      ...tooManyAttempts(cluster, job, definition),
      ...(definition.overlap === 'allow' ? [] : besideEachOther(cluster, job)),
    ]),
  ];
}

/** The cursor never goes back, and only the client that holds the office writes it. */
function cursorAndLeader({ etcd, keys }: MemoryCluster): string[] {
  const wrong: string[] = [];
  let leader: string | null = null;
  let last: CursorRecord | null = null;
  for (const { revision, client, events } of etcd.changes) {
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      if (key === keys.leader) leader = event.type === 'put' ? client : null;
      if (key !== keys.cursor || event.type !== 'put') continue;
      if (client !== leader) wrong.push(`${client} wrote the cursor at ${revision} without being the leader`);
      const decoded = decodeRecord(cursorRecordSchema, event.kv);
      if (!decoded.ok) continue;
      if (last && isBehind(last.plannedThrough, decoded.value.plannedThrough)) {
        wrong.push(`the cursor went back at ${revision}`);
      }
      last = decoded.value;
    }
  }
  return wrong;
}

/** An attempt starts at or after the `notBefore` that stood in its firing when it was claimed. */
function startsBeforeTheirTime({ etcd, keys, processes }: MemoryCluster): string[] {
  const notBefore = new Map<string, number>();
  // Claims that share a transaction share their fencing token.
  const nameOf = (runId: string, token: number): string => `${runId} ${token}`;
  const before = new Map<string, FiringRecord>();
  for (const { revision, events } of etcd.changes) {
    for (const event of events) {
      if (event.type !== 'put' || !event.kv.key.startsWith(keys.firings)) continue;
      const decoded = decodeFiring(event.kv);
      if (!decoded.ok) continue;
      if (decoded.value.node !== null) {
        const name = nameOf(event.kv.key.slice(keys.firings.length), revision);
        notBefore.set(name, before.get(event.kv.key)?.notBefore ?? -Infinity);
      }
      before.set(event.kv.key, decoded.value);
    }
  }
  return processes
    .filter((one) => one.startedAtMs < (notBefore.get(nameOf(one.runId, one.fencingToken)) ?? Infinity))
    .map((one) => `attempt ${one.attempt} of ${one.runId} started before its time, or without a claim`);
}

function tooManyAttempts(cluster: MemoryCluster, job: string, definition: Definitions[string]): string[] {
  const wrong: string[] = [];
  const retries = (definition.retries as { attempts: number } | undefined)?.attempts ?? 1;
  const { maxCrashes } = NODE_DEFAULTS;
  const handBacks = handBacksOf(cluster);
  for (const [runId, record] of cluster.records(job)) {
    const started = cluster.processes.filter((one) => one.runId === runId).length;
    const abandon = definition.recovery === 'abandon';
    const allowed = retries + (abandon ? 0 : maxCrashes) + (handBacks.get(runId) ?? 0);
    if (started > allowed) wrong.push(`${runId} was started ${started} times`);
    if (started > record.attempts)
      wrong.push(`${runId} has ${record.attempts} attempts but ${started} starts`);
    if (record.crashes > maxCrashes) wrong.push(`${runId} crashed ${record.crashes} times`);
  }
  return wrong;
}

/** How often a firing came back without a crash and without a retry: its worker was stopped in order. */
function handBacksOf({ etcd, keys }: MemoryCluster): Map<string, number> {
  const counts = new Map<string, number>();
  const before = new Map<string, FiringRecord>();
  for (const { events } of etcd.changes) {
    for (const event of events) {
      if (event.type !== 'put' || !event.kv.key.startsWith(keys.firings)) continue;
      const decoded = decodeFiring(event.kv);
      if (!decoded.ok) continue;
      const runId = event.kv.key.slice(keys.firings.length);
      const [old, now] = [before.get(runId), decoded.value];
      const cameBack = old && old.node !== null && now.node === null;
      if (cameBack && now.notBefore === null && now.crashes === old.crashes)
        counts.set(runId, (counts.get(runId) ?? 0) + 1);
      before.set(runId, now);
    }
  }
  return counts;
}

/** No two processes of different firings at once. */
function besideEachOther({ processes }: MemoryCluster, job: string): string[] {
  const wrong: string[] = [];
  const ofJob = processes.filter((one) => parseRunId(one.runId)?.job === job);
  ofJob.sort((a, b) => a.startedAtMs - b.startedAtMs);
  let longest: FakeProcess | null = null;
  for (const one of ofJob) {
    if (longest && (longest.endedAtMs ?? Infinity) > one.startedAtMs && longest.runId !== one.runId) {
      wrong.push(`${one.runId} ran beside ${longest.runId}`);
    }
    if (!longest || (one.endedAtMs ?? Infinity) > (longest.endedAtMs ?? Infinity)) longest = one;
  }
  return wrong;
}
