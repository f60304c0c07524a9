import type { Check, Finding } from '../finding.js';

/** The first version that has what etcron relies on. */
const MINIMUM = [3, 4] as const;

export const etcdMembers: Check = {
  name: 'etcd-members',
  good: 'all given members of etcd answer, with a leader and one version',
  find: ({ etcd: { members, silent } }) => {
    const findings: Finding[] = [];
    if (silent.length > 0)
      findings.push({
        severity: 'warning',
        what: `${silent.length} of ${silent.length + members.length} members of etcd do not answer`,
        where: silent,
        remedy:
          'Bring them back, or take them out of the endpoints if they are gone for good. Without more than half of its members etcd takes no writes. See "etcdctl member list".',
      });
    if (members.length > 0 && !members.some(({ isLeader }) => isLeader) && silent.length === 0)
      findings.push({
        severity: 'error',
        what: 'none of the members of etcd is their leader',
        where: members.map(({ endpoint }) => endpoint),
        remedy:
          'etcd has no quorum: see "etcdctl endpoint status --cluster -w table", and bring members back.',
      });
    const versions = new Set(members.map(({ version }) => version));
    if (versions.size > 1)
      findings.push({
        severity: 'advice',
        what: 'the members of etcd have different versions',
        where: members.map(({ endpoint, version }) => `${endpoint} ${version}`),
        remedy: 'Finish the upgrade of etcd.',
      });
    const old = members.filter(({ version }) => isOld(version));
    if (old.length > 0)
      findings.push({
        severity: 'error',
        what: `etcd is older than ${MINIMUM.join('.')}`,
        where: old.map(({ endpoint, version }) => `${endpoint} ${version}`),
        remedy: 'Upgrade etcd.',
      });
    const count = members.length + silent.length;
    if (count === 1 || count === 2)
      findings.push({
        severity: 'advice',
        what: `only ${count === 1 ? 'one endpoint' : 'two endpoints'} of etcd is known`,
        where: members.map(({ endpoint }) => endpoint),
        remedy:
          'With one or two members, nothing runs while one is down. Run three, and name all of them in --endpoints.',
      });
    return findings;
  },
};

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1]);
}
