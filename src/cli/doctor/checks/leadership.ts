import { relativeText } from '../../../time-text.js';
import type { Check, Finding } from '../finding.js';

/** Less than this and a takeover makes runs late: a lease's TTL of 10 s less what is planned within one stride. */
const SHORT_MS = 5_000;

export const leadership: Check = {
  name: 'leadership',
  good: 'somebody leads, and plans far enough ahead',
  find: ({ snapshot: { leader, cursor }, nowMs }) => {
    const findings: Finding[] = [];
    if (leader === null)
      findings.push({
        severity: 'error',
        what: 'nobody leads: due times are not planned',
        where: [],
        remedy:
          'Start a worker, or look into the log of one: it says why it does not lead. Drained workers and those whose clocks are off do not.',
      });
    if (cursor !== null && cursor.plannedThrough.due - nowMs < SHORT_MS) {
      const { due } = cursor.plannedThrough;
      findings.push({
        severity: 'error',
        what:
          due < nowMs
            ? `planning stopped ${relativeText(due, nowMs)}`
            : `due times are planned only ${relativeText(due, nowMs)}`,
        where: leader === null ? [] : [leader.nodeId],
        remedy:
          'Look into the log of the leader, and give the office to another one: "etcron workers hand-over". If this machine\'s clock is off, that is why it looks so.',
      });
    }
    return findings;
  },
};
