import { shortDuration } from '../../time-text.js';
import { harmless } from '../dev/text-width.js';
import type { TopModel } from './top-model.js';

/** All of it in one line, for a log. */
export function topLine({ nowMs, isLive, leader, workers, counts, minutes, next }: TopModel): string {
  const sum = (pick: (worker: TopModel['workers'][number]) => number): number =>
    workers.reduce((total, worker) => total + pick(worker), 0);
  const now = minutes.at(-1);
  const soonest = next[0];
  const parts = [
    new Date(nowMs).toISOString(),
    ...(isLive ? [] : ['connection lost']),
    `leader ${leader === null ? 'none' : harmless(leader.nodeId)}`,
    `workers ${sum(({ state }) => (state === 'active' ? 1 : 0))}/${workers.length}`,
    `load ${sum(({ load }) => load)}/${sum(({ capacity }) => capacity)}`,
    `running ${counts.running}`,
    `late ${counts.late}`,
    `this minute ${now?.runs ?? 0} ended, ${now?.failed ?? 0} failed`,
    ...(now?.lateness ? [`p99 ${shortDuration(Math.round(now.lateness.p99Ms))} late`] : []),
    ...(soonest === undefined ? [] : [`next ${harmless(soonest.runId)}`]),
  ];
  return parts.join('  ');
}
