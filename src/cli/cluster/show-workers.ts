import type { WorkerRecord } from '../../election/worker-record.js';
import type { WorkerEntry } from '../../view/cluster-view.js';
import type { CliContext } from '../context.js';
import { takeSnapshot, type Snapshot } from '../../operations/snapshot.js';
import { renderTable, type Styled } from '../table.js';
import { isoOrNull, relativeText } from '../../time-text.js';

/** The live workers, by name. */
export async function showWorkers(context: CliContext): Promise<void> {
  await context.withStore(async (cluster) => {
    const snapshot = await takeSnapshot(cluster);
    const { out, colors } = context;
    const workers = [...snapshot.workers].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    if (context.json) return out.json({ workers: workers.map((worker) => toJson(worker, snapshot)) });
    if (workers.length === 0) return out.line('No workers. Start one with "etcron worker".');
    const nowMs = context.clock.now();
    const hasHandlers = workers.some(({ value }) => value.handlers.length > 0);
    const rows = workers.map(({ nodeId, value }) => [
      { text: snapshot.leader?.nodeId === nodeId ? '★' : '', paint: colors.yellow },
      value.name,
      nodeId,
      value.host,
      String(value.pid),
      stateCell(value, colors),
      `${loadOf(snapshot, nodeId)}/${value.capacity}`,
      relativeText(value.startedAt, nowMs),
      labelsText(value.labels),
      ...(hasHandlers ? [value.handlers.join(' ')] : []),
    ]);
    const head = ['', 'NAME', 'NODE', 'HOST', 'PID', 'STATE', 'LOAD', 'SINCE', 'LABELS'];
    out.line(renderTable(context, hasHandlers ? [...head, 'HANDLERS'] : head, rows));
    if (snapshot.leader) out.note(colors.dim(`★ leads since ${relativeText(snapshot.leader.since, nowMs)}`));
  });
}

function stateCell({ state, skewed }: WorkerRecord, colors: CliContext['colors']): Styled {
  if (state === 'active' && skewed) return { text: 'clock off', paint: colors.red };
  return { text: state, paint: state === 'active' ? colors.green : colors.yellow };
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
    since: isoOrNull(startedAt),
    clock: isoOrNull(clock),
    leader: snapshot.leader?.nodeId === nodeId,
  };
}
