/** What a firing that is not over yet is waiting for, judged from what etcd says and a clock. */
import { workerNameOf } from '../election/worker-record.js';
import type { FiringEntry } from '../view/cluster-view.js';
import { startTime } from '../view/firing-record.js';
import { plural } from '../plural.js';
import { relativeText } from '../time-text.js';

export type FiringState =
  /** Due later. */
  | 'planned'
  /** Due, and nobody has claimed it. */
  | 'late'
  /** Due, and it waits for a slot of its job or of a limit. */
  | 'queued'
  /** Its last attempt failed, or was lost, and the next one is to come. */
  | 'waiting'
  /** A worker has it, and its time has not come. */
  | 'claimed'
  | 'running'
  /** It stands for one run on each worker, and ends with the last of them. */
  | 'expanded'
  /** Its worker is gone; another one takes it over, or it ends `lost`. */
  | 'orphaned';

/** Clocks differ, and a claim takes a moment: only beyond this is a firing called late. */
const LATE_AFTER_MS = 2_000;

export function firingState(
  firing: FiringEntry,
  liveNodes: { has(node: string): boolean },
  nowMs: number,
): FiringState {
  const { node, attempt } = firing.value;
  const startMs = startTime(firing);
  if (node !== null) {
    if (!liveNodes.has(node)) return 'orphaned';
    return nowMs < startMs ? 'claimed' : 'running';
  }
  if (firing.value.expanded !== null) return nowMs < startMs ? 'planned' : 'expanded';
  if (firing.value.waiting) return 'queued';
  if (nowMs > startMs + LATE_AFTER_MS) return 'late';
  return attempt > 0 ? 'waiting' : 'planned';
}

/** Such as `running on w1, attempt 2`. `why` is what keeps it from its turn, where that is known. */
export function describeFiring(
  firing: FiringEntry,
  state: FiringState,
  nowMs: number,
  why: string | null = null,
): string {
  const { node, attempt } = firing.value;
  const worker = node === null ? '' : workerNameOf(node);
  switch (state) {
    case 'planned':
      return `planned, due ${relativeText(firing.id.dueMs, nowMs)}`;
    case 'queued':
      return `waiting (${why ?? 'its turn comes'}), due ${relativeText(startTime(firing), nowMs)}`;
    case 'late':
      if (why !== null) return `waiting (${why}), due ${relativeText(startTime(firing), nowMs)}`;
      return `due ${relativeText(startTime(firing), nowMs)}, and not claimed yet`;
    case 'waiting':
      return `attempt ${attempt + 1} is due ${relativeText(startTime(firing), nowMs)}`;
    case 'claimed':
      return `claimed by ${worker}, due ${relativeText(startTime(firing), nowMs)}`;
    case 'running':
      return `running on ${worker}, attempt ${attempt}`;
    case 'expanded':
      return `on ${plural(firing.value.expanded ?? 0, 'worker')}: see the runs of each`;
    case 'orphaned':
      return `attempt ${attempt} was lost with its worker ${worker}`;
  }
}
