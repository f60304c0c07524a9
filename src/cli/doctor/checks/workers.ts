import { relativeText } from '../../../time-text.js';
import { isActive } from '../../../view/eligibility.js';
import type { Check, Finding } from '../finding.js';

export const workers: Check = {
  name: 'workers',
  good: 'several workers take runs, none is drained, all have one version',
  find: ({ snapshot, nowMs }) => {
    const findings: Finding[] = [];
    const active = snapshot.workers.filter(({ value }) => isActive(value));
    if (active.length === 0)
      findings.push({
        severity: 'error',
        what: 'there is no active worker: nothing runs',
        where: snapshot.workers.map(
          ({ nodeId, value }) => `${nodeId} (${value.skewed ? 'clock off' : value.state})`,
        ),
        remedy: 'Start workers ("etcron worker"), or let drained ones work: "etcron workers resume <name>".',
      });
    else if (active.length === 1)
      findings.push({
        severity: 'advice',
        what: 'there is one active worker only',
        where: active.map(({ nodeId }) => nodeId),
        remedy:
          'When it is down nothing runs. Run at least two, better three: then a wrong clock shows as well.',
      });
    const drained = [...snapshot.drains].map(
      ([name, { by, reason, at }]) =>
        `${name}${at === null ? '' : `, ${relativeText(at, nowMs)}`}${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`,
    );
    if (drained.length > 0)
      findings.push({
        severity: 'advice',
        what: 'workers are drained, and stay so when they are started anew',
        where: drained,
        remedy: 'When that is over: "etcron workers resume <name>".',
      });
    const versions = new Map<string, string[]>();
    for (const { nodeId, value } of snapshot.workers)
      versions.set(value.version, [...(versions.get(value.version) ?? []), nodeId]);
    if (versions.size > 1)
      findings.push({
        severity: 'advice',
        what: 'the workers have different versions of etcron',
        where: [...versions].map(([version, nodes]) => `${version}: ${nodes.join(', ')}`),
        remedy: 'Finish the upgrade: drain, stop, upgrade and start one worker after the other.',
      });
    return findings;
  },
};
