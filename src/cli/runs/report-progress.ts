import { workerNameOf } from '../../election/worker-record.js';
import type { FiringEntry } from '../../view/cluster-view.js';
import { startTime } from '../../view/firing-record.js';
import type { CliContext } from '../context.js';
import { relativeText } from '../../time-text.js';

/** Says in a line what changed for a firing that is waited for. */
export function reportProgress({ clock, out, colors }: CliContext): (firing: FiringEntry) => void {
  return (firing) => {
    const { node, attempt } = firing.value;
    if (node !== null) out.note(colors.dim(`attempt ${attempt} claimed by ${workerNameOf(node)}`));
    else if (attempt > 0) {
      out.note(
        colors.dim(
          `attempt ${attempt} ended; the next one is due ${relativeText(startTime(firing), clock.now())}`,
        ),
      );
    } else out.note(colors.dim('waiting for a worker'));
  };
}
