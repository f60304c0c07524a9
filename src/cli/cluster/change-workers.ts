import { drainWorker, resumeWorker } from '../../operations/drain-worker.js';
import { handOver, waitForNextLeader } from '../../operations/hand-over.js';
import { waitForDrain } from '../../operations/wait-for-drain.js';
import { plural } from '../../plural.js';
import { shortDuration } from '../../time-text.js';
import type { CliContext } from '../context.js';

export interface DrainOptions {
  readonly wait?: boolean;
  /** ms. */
  readonly timeout?: number;
  readonly reason?: string;
}

export interface HandOverOptions {
  readonly to?: string;
  /** ms. */
  readonly timeout?: number;
}

const HAND_OVER_TIMEOUT_MS = 15_000;
/** Runs that are named while they are waited for. */
const NAMED = 3;

/** Asks a worker to take nothing more; with `wait` it answers when the worker runs nothing. */
export async function drain(context: CliContext, name: string, options: DrainOptions): Promise<void> {
  const { out, json, colors } = context;
  await context.withOperations(async (cluster) => {
    const { reason } = options;
    const { changed, others } = await drainWorker(cluster, name, reason === undefined ? {} : { reason });
    if (others.length === 0)
      out.warn('no other worker is active: nothing runs until one is, or this one is resumed');
    if (options.wait) {
      await waitForDrain(cluster, name, {
        timeoutMs: options.timeout ?? null,
        onProgress: (runs) => out.note(colors.dim(progressText(runs))),
      });
    }
    const drained = options.wait === true;
    if (json) return out.json({ worker: name, changed, drained, others });
    if (drained) return out.line(`${name} is drained: it runs nothing`);
    out.line(changed ? `asked ${name} to drain` : `${name} is asked to drain already`);
  });
}

function progressText(runs: readonly string[]): string {
  if (runs.length === 0) return 'nothing runs there any more';
  const named = runs.slice(0, NAMED).join(', ');
  return `${plural(runs.length, 'run')} left: ${named}${runs.length > NAMED ? ' …' : ''}`;
}

/** Lets a worker take runs again. */
export async function resume(context: CliContext, name: string): Promise<void> {
  const { changed } = await context.withOperations((cluster) => resumeWorker(cluster, name));
  if (context.json) context.out.json({ worker: name, changed });
  else context.out.line(changed ? `${name} takes runs again` : `${name} is not drained`);
}

/** Asks the leader to hand over, and says who leads then. */
export async function handOverLeadership(context: CliContext, options: HandOverOptions): Promise<void> {
  const { out, json, clock } = context;
  await context.withOperations(async (cluster) => {
    const { to, timeout } = options;
    const askedMs = clock.monotonicMs();
    const { leader, term } = await handOver(cluster, to === undefined ? {} : { to });
    const next = await waitForNextLeader(cluster, term, { timeoutMs: timeout ?? HAND_OVER_TIMEOUT_MS });
    const tookMs = Math.round(clock.monotonicMs() - askedMs);
    if (to !== undefined && next.leader.name !== to)
      out.warn(`${to} did not take the office; "etcron workers" shows how it is`);
    if (json) return out.json({ from: leader.nodeId, to: next.leader.nodeId, tookMs });
    const stays = next.leader.nodeId === leader.nodeId ? ' again: nobody else took the office' : '';
    out.line(`${next.leader.nodeId} leads now${stays} (it was ${leader.nodeId}; ${shortDuration(tookMs)})`);
  });
}
