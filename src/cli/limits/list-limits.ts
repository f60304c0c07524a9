import type { CliContext } from '../context.js';
import { takeSnapshot } from '../../operations/snapshot.js';
import { renderTable } from '../table.js';
import { limitUsage, type LimitUsage } from '../../operations/limit-usage.js';

/** Jobs and runs that are named in one row; the others are counted. */
const NAMED = 3;

/** Shows all limits that there are, and those that jobs name and that have no size yet. */
export async function listLimits(context: CliContext): Promise<void> {
  await context.withStore(async (cluster) => {
    const { out, colors } = context;
    const limits = limitUsage(await takeSnapshot(cluster), context.clock.now());
    if (context.json) return out.json({ limits });
    if (limits.length === 0) return out.line('No limits. "etcron limits set <name> <size>" makes one.');
    const rows = limits.map((limit) => [
      limit.name,
      limit.size === null ? { text: noSize(limit), paint: colors.red } : String(limit.size),
      String(limit.held.length),
      String(limit.waiting),
      shortened(limit.held),
      shortened(limit.jobs),
    ]);
    out.line(renderTable(context, ['LIMIT', 'SIZE', 'HELD', 'WAITING', 'BY', 'JOBS'], rows));
    if (limits.some(({ size }) => size === null))
      out.note(colors.dim('Nothing runs under a limit that has no size.'));
  });
}

function noSize({ problem }: LimitUsage): string {
  return problem === null ? 'none' : `damaged: ${problem}`;
}

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
