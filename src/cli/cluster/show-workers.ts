import type { WorkerEntry } from '../../view/cluster-view.js';
import type { DrainRecord } from '../../view/drain-record.js';
import type { CliContext } from '../context.js';
import { printable } from '../../jobs/printable.js';
import { takeSnapshot, type Snapshot } from '../../operations/snapshot.js';
import { renderTable, type Styled } from '../table.js';
import { isoOrNull, relativeText } from '../../time-text.js';

/** The live workers, by name, and those that are to stay drained when they come back. */
export async function showWorkers(context: CliContext): Promise<void> {
  await context.withStore(async (cluster) => {
    const snapshot = await takeSnapshot(cluster);
    const { out, colors } = context;
    const workers = [...snapshot.workers].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const nowMs = context.clock.now();
    const drained = drainedWorkers(snapshot, nowMs);
    if (context.json) {
      const away = drained.filter(({ isThere }) => !isThere).map(({ name }) => name);
      return out.json({ workers: workers.map((worker) => toJson(worker, snapshot)), drainedAndAway: away });
    }
    if (workers.length === 0) out.line('No workers. Start one with "etcron worker".');
    else showTable(context, snapshot, workers);
    for (const { name, text } of drained) out.note(colors.yellow(`${name} is ${text}`));
    if (snapshot.leader) out.note(colors.dim(`★ leads since ${relativeText(snapshot.leader.since, nowMs)}`));
  });
}

function showTable(context: CliContext, snapshot: Snapshot, workers: readonly WorkerEntry[]): void {
  const { out, colors } = context;
  const nowMs = context.clock.now();
  const hasHandlers = workers.some(({ value }) => value.handlers.length > 0);
  const rows = workers.map((worker) => [
    { text: snapshot.leader?.nodeId === worker.nodeId ? '★' : '', paint: colors.yellow },
    worker.value.name,
    worker.nodeId,
    worker.value.host,
    String(worker.value.pid),
    stateCell(worker, snapshot, colors),
    `${loadOf(snapshot, worker.nodeId)}/${worker.value.capacity}`,
    relativeText(worker.value.startedAt, nowMs),
    labelsText(worker.value.labels),
    ...(hasHandlers ? [worker.value.handlers.join(' ')] : []),
  ]);
  const head = ['', 'NAME', 'NODE', 'HOST', 'PID', 'STATE', 'LOAD', 'SINCE', 'LABELS'];
  out.line(renderTable(context, hasHandlers ? [...head, 'HANDLERS'] : head, rows));
}

function stateCell(
  { nodeId, value: { name, state, skewed } }: WorkerEntry,
  snapshot: Snapshot,
  colors: CliContext['colors'],
): Styled {
  if (state === 'active' && skewed) return { text: 'clock off', paint: colors.red };
  const isEmpty = snapshot.drains.has(name) && loadOf(snapshot, nodeId) === 0;
  if (state === 'draining' && isEmpty) return { text: 'drained', paint: colors.yellow };
  return { text: state, paint: state === 'active' ? colors.green : colors.yellow };
}

const MAX_NOTE_LENGTH = 300;

export interface DrainedWorker {
  readonly name: string;
  readonly isThere: boolean;
  /** Such as `to stay drained, asked for by ann@host, 5m ago: new kernel`. */
  readonly text: string;
}

/** The workers that somebody asked to drain, by name. */
export function drainedWorkers({ drains, workers }: Snapshot, nowMs: number): DrainedWorker[] {
  const live = new Set(workers.map(({ value }) => value.name));
  return [...drains].map(([name, { by, at, reason }]) => {
    const isThere = live.has(name);
    const parts = [
      isThere ? 'to stay drained' : 'to stay drained when it comes back',
      ...(by === null ? [] : [`asked for by ${by}`]),
      ...(at === null ? [] : [relativeText(at, nowMs)]),
    ];
    const text = `${parts.join(', ')}${reason === null ? '' : `: ${reason}`}`;
    // Whoever may write to etcd chooses all of it.
    return { name: oneLine(name), isThere, text: oneLine(text) };
  });
}

function oneLine(text: string): string {
  return printable(text.length > MAX_NOTE_LENGTH ? `${text.slice(0, MAX_NOTE_LENGTH)}…` : text);
}

/** The weight of what a node has claimed or runs. */
export function loadOf({ firings, jobs }: Snapshot, nodeId: string): number {
  return firings
    .filter(({ value }) => value.node === nodeId)
    .reduce((sum, { id }) => sum + (jobs.get(id.job)?.job?.weight ?? 1), 0);
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function toJson({ nodeId, value }: WorkerEntry, snapshot: Snapshot): unknown {
  const { startedAt, clock, ...rest } = value;
  return {
    node: nodeId,
    ...rest,
    load: loadOf(snapshot, nodeId),
    drain: drainToJson(snapshot.drains.get(value.name)),
    since: isoOrNull(startedAt),
    clock: isoOrNull(clock),
    leader: snapshot.leader?.nodeId === nodeId,
  };
}

function drainToJson(drain: DrainRecord | undefined): unknown {
  return drain === undefined ? null : { ...drain, at: isoOrNull(drain.at) };
}
