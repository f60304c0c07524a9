/**
 * How runs share room, read from etcd's history alone: no more at once than a job or a limit allows, queues in order and
 * within their bound, replacements asked for by who waits for them, and nobody who waits vanishes.
 */
import { parseRunId } from '../../../etcd/keys.js';
import type { KeyValue } from '../../../etcd/store.js';
import { NODE_DEFAULTS } from '../../../node/options.js';
import type { Change } from '../../memory-etcd.js';
import { MAX_SKEW_MS } from '../worker.js';
import { OPERATOR, type World } from '../world.js';
import { besideGroup, jobOf } from './history.js';
import type { Violation } from './violation.js';

interface StoredFiring {
  readonly origin: string;
  readonly attempt: number;
  readonly node?: string;
  readonly misfire?: boolean;
  readonly waiting?: boolean;
}

/** What a scenario says of how a job shares room. */
export interface Sharing {
  readonly policy: string;
  /** Infinity: it allows any number. */
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
  /** Who waits too long goes out of turn. */
  readonly hasDeadline: boolean;
  /** When it has had its runs, what waits will never go on, and keeps no run by hand waiting. */
  readonly hasMaxRuns: boolean;
  readonly limits: readonly string[];
}

export function sharingOf({ scenario }: World, job: string): Sharing {
  const { overlap, maxConcurrent, limits, startDeadline, maxRuns } = (scenario.steady.get(job) ??
    scenario.restless.get(job) ??
    {}) as {
    overlap?: string | { policy: string; limit: number };
    maxConcurrent?: number;
    limits?: string[];
    startDeadline?: string;
    maxRuns?: number;
  };
  const policy = typeof overlap === 'object' ? overlap.policy : (overlap ?? 'skip');
  return {
    policy,
    maxConcurrent: policy === 'allow' ? Infinity : (maxConcurrent ?? 1),
    maxWaiting: typeof overlap === 'object' ? overlap.limit : 100,
    hasDeadline: startDeadline !== undefined,
    hasMaxRuns: maxRuns !== undefined,
    limits: limits ?? [],
  };
}

export function checkSharing(world: World): Violation[] {
  return new SharedRoom(world).violations;
}

/** A mark that comes so late may find that others took its firing for a misfire, and went before it. */
const LATE_MARK_MS = NODE_DEFAULTS.misfireAfterMs - 2 * MAX_SKEW_MS;

class SharedRoom {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #firings = new Map<string, StoredFiring>();
  /** Run ids of the claims that stand. */
  readonly #standing = new Set<string>();
  readonly #sizes = new Map<string, number>();
  readonly #kills = new Set<string>();
  readonly #markedLate = new Set<string>();
  #change: Change = { revision: 0, atMs: 0, client: '', events: [] };

  constructor(world: World) {
    this.#world = world;
    for (const change of world.etcd.changes) this.#read(change);
  }

  #wrong(subject: string, text: string): void {
    const { atMs, revision } = this.#change;
    this.violations.push({ subject, text: `${text} (revision ${revision})`, atMs });
  }

  #read(change: Change): void {
    this.#change = change;
    const { keys } = this.#world;
    // Judged by what stood before, as the transaction's compares are: others may have shared it.
    for (const event of change.events) {
      if (event.type !== 'put') continue;
      const { key } = event.kv;
      if (key.startsWith(keys.runs)) this.#record(key.slice(keys.runs.length), event.kv);
      else if (key.startsWith(keys.kills)) this.#kill(key.slice(keys.kills.length), event.kv);
    }
    const claimed: string[] = [];
    const marked: string[] = [];
    const gone: string[] = [];
    const recorded = new Set<string>();
    /** Jobs of which a range was recorded as missed. */
    const missed = new Set<string>();
    const before = new Map<string, StoredFiring | undefined>();
    for (const event of change.events) {
      const kv = event.type === 'put' ? event.kv : null;
      const key = event.type === 'put' ? event.kv.key : event.key;
      const runId = (prefix: string): string => key.slice(prefix.length);
      if (key.startsWith(keys.locks)) {
        if (kv) claimed.push(runId(keys.locks));
        if (kv) this.#standing.add(runId(keys.locks));
        else this.#standing.delete(runId(keys.locks));
      } else if (key.startsWith(keys.firings)) {
        const id = runId(keys.firings);
        before.set(id, this.#firings.get(id));
        if (kv === null) gone.push(id);
        else if (this.#put(id, kv)) marked.push(id);
      } else if (key.startsWith(keys.limits)) this.#size(key.slice(keys.limits.length), kv);
      else if (key.startsWith(keys.limitSlots)) this.#slot(key, kv);
      else if (key.startsWith(keys.runs) && kv) {
        recorded.add(runId(keys.runs));
        if (isMissed(kv)) missed.add(jobOf(runId(keys.runs)));
      }
    }
    for (const id of gone) this.#firings.delete(id);
    for (const id of gone)
      if (before.get(id)?.waiting && !recorded.has(id) && !missed.has(jobOf(id)))
        this.#wrong(id, 'waited, and vanished without a record');
    for (const id of claimed) this.#claimed(id, before.get(id));
    for (const id of marked) this.#marked(id);
  }

  // ── room ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #claimed(runId: string, before: StoredFiring | undefined): void {
    const { maxConcurrent, limits, policy, hasDeadline, hasMaxRuns } = sharingOf(this.#world, jobOf(runId));
    const group = besideGroup(runId);
    const beside = [...this.#standing].filter((other) => besideGroup(other) === group).length;
    if (beside > maxConcurrent) this.#wrong(runId, `${beside} claims of ${group} stand at once`);
    for (const limit of limits) {
      const held = [...this.#standing].filter((other) =>
        sharingOf(this.#world, jobOf(other)).limits.includes(limit),
      ).length;
      const size = this.#sizes.get(limit) ?? 0;
      if (held > size) this.#wrong(runId, `${held} claims stand under the limit ${limit} of ${size}`);
    }
    const isFirst = before?.attempt === 0 && this.#world.scenario.steady.has(jobOf(runId));
    const mayPass = hasDeadline || (hasMaxRuns && before?.origin === 'manual');
    if (policy !== 'queue' || !isFirst || mayPass) return;
    const older = this.#waitingIn(group).filter(
      (other) => isOlder(other, runId) && !this.#markedLate.has(other),
    );
    if (beside + older.length > maxConcurrent) this.#wrong(runId, `was claimed before ${older.join(', ')}`);
  }

  #slot(key: string, kv: KeyValue | null): void {
    if (kv === null) return;
    if (kv.version !== 1) this.#wrong(key, 'was taken over a standing one');
    if (kv.leaseId === null) this.#wrong(key, 'was taken without a lease');
  }

  #size(name: string, kv: KeyValue | null): void {
    const size = kv && (JSON.parse(kv.value.toString()) as { size: number }).size;
    this.#sizes.set(name, size ?? 0);
  }

  // ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** True when it waits from now on. */
  #put(runId: string, kv: KeyValue): boolean {
    const before = this.#firings.get(runId);
    const after = JSON.parse(kv.value.toString()) as StoredFiring;
    this.#firings.set(runId, after);
    if (!before || before.node !== undefined || before.waiting || !after.waiting) return false;
    const { waiting: _, ...rest } = after;
    const lateByMs = this.#change.atMs - (parseRunId(runId)?.dueMs ?? 0);
    if (lateByMs > LATE_MARK_MS) this.#markedLate.add(runId);
    if (JSON.stringify(rest) !== JSON.stringify(before)) this.#wrong(runId, 'changed when it began to wait');
    return true;
  }

  #waitingIn(group: string): string[] {
    return [...this.#firings].flatMap(([runId, { waiting, node, attempt, origin }]) =>
      waiting && node === undefined && attempt === 0 && origin === 'schedule' && besideGroup(runId) === group
        ? [runId]
        : [],
    );
  }

  #marked(runId: string): void {
    const { policy, maxWaiting, hasDeadline } = sharingOf(this.#world, jobOf(runId));
    // What is past its deadline, or about to be judged as a misfire, is the leader's: nobody waits for it to be judged.
    const waiting = this.#waitingIn(besideGroup(runId)).filter((one) => !this.#markedLate.has(one)).length;
    if (policy === 'queue' && !hasDeadline && waiting > maxWaiting)
      this.#wrong(runId, `${waiting} wait, ${maxWaiting} may`);
  }

  #record(runId: string, kv: KeyValue): void {
    const { outcome, reason } = JSON.parse(kv.value.toString()) as { outcome: string; reason: string | null };
    const { policy, maxWaiting } = sharingOf(this.#world, jobOf(runId));
    const successor = /^replaced by (\S+)/.exec(reason ?? '')?.[1];
    if (successor !== undefined) {
      if (policy !== 'replace') this.#wrong(runId, 'was replaced, but its job replaces nothing');
      if (!isOlder(runId, successor)) this.#wrong(runId, `was replaced by ${successor}, which is older`);
      if (outcome === 'killed' && !this.#kills.has(runId)) this.#wrong(runId, 'was replaced unasked');
    }
    if (outcome !== 'skipped' || !reason?.endsWith('were waiting already')) return;
    const group = besideGroup(runId);
    const waiting = [...this.#firings].filter(
      ([other, { waiting: waits, misfire, node, attempt }]) =>
        (waits || misfire) && node === undefined && attempt === 0 && besideGroup(other) === group,
    ).length;
    if (waiting < maxWaiting) this.#wrong(runId, `was skipped although only ${waiting} waited`);
  }

  // ── replacing ───────────────────────────────────────────────────────────────────────────────────────────────────

  #kill(runId: string, kv: KeyValue): void {
    const group = besideGroup(runId);
    const beside = [...this.#standing].filter((other) => besideGroup(other) === group);
    const isEnding = beside.some((other) => this.#kills.has(other));
    this.#kills.add(runId);
    const { by, reason } = JSON.parse(kv.value.toString()) as { by: string | null; reason: string };
    // What an operator asked for is passed on to the runs of a job on each worker.
    if (by === OPERATOR) return;
    const successor = /^replaced by (\S+)$/.exec(reason)?.[1] ?? '';
    const { policy, maxConcurrent } = sharingOf(this.#world, jobOf(runId));
    const waits = this.#firings.get(successor);
    if (policy !== 'replace') this.#wrong(runId, 'is to be replaced, but its job replaces nothing');
    if (this.#firings.get(runId)?.node === undefined)
      this.#wrong(runId, 'is to be replaced, and does not run');
    if (!waits || waits.node !== undefined)
      this.#wrong(runId, `is to be replaced by ${successor}, which does not wait`);
    if (!isOlder(runId, successor)) this.#wrong(runId, `is to be replaced by ${successor}, which is older`);
    if (!this.#standing.has(runId)) return;
    if (beside.length < maxConcurrent) this.#wrong(runId, 'is to be replaced although there is room');
    if (isEnding) this.#wrong(runId, 'is to be replaced although another one is');
  }
}

function isMissed(kv: KeyValue): boolean {
  return (JSON.parse(kv.value.toString()) as { outcome: string }).outcome === 'missed';
}

/** By due time. */
function isOlder(a: string, b: string): boolean {
  const [first, second] = [parseRunId(a), parseRunId(b)];
  if (!first || !second) return false;
  return first.dueMs !== second.dueMs ? first.dueMs < second.dueMs : a < b;
}
