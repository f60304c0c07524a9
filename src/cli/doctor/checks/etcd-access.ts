import type { Check, Finding } from '../finding.js';

export const etcdAccess: Check = {
  name: 'etcd-access',
  good: 'etcd asks who one is, and is spoken to in cipher',
  find: ({ etcd: { access } }) => {
    const findings: Finding[] = [];
    if (access === null) return findings;
    if (!access.isAuthenticated)
      findings.push({
        severity: 'advice',
        what: 'etcd let this command in without a user or a certificate',
        where: [],
        remedy:
          'Whoever can write there runs commands on your workers. Enable authentication with the roles of docs/security.md, or make sure that nobody else reaches etcd.',
      });
    if (!access.isEncrypted && !access.isLocal)
      findings.push({
        severity: 'advice',
        what: 'the connection to etcd is not encrypted, and leaves this machine',
        where: [],
        remedy: 'Serve etcd by TLS, and give --cacert (and --cert, --key) to etcron.',
      });
    return findings;
  },
};
