import { databaseProblem } from '../../../etcd/database-size.js';
import type { Check, Finding } from '../finding.js';

export const etcdDatabase: Check = {
  name: 'etcd-database',
  good: "etcd's database has room, and its history is compacted",
  find: ({ etcd: { members, uncompacted } }) => {
    const findings: Finding[] = [];
    const problem = databaseProblem(members);
    if (problem !== null) {
      const [what, ...remedy] = problem.message.split(': ');
      findings.push({
        severity: problem.isFull ? 'error' : 'warning',
        what: what ?? problem.message,
        where: members.map(({ endpoint }) => endpoint),
        remedy: `${capital(remedy.join(': '))}.`,
      });
    }
    if (uncompacted !== null)
      findings.push({
        severity: 'warning',
        what: `etcd keeps the history of the last ${uncompacted.toLocaleString('en')} changes and more: nothing compacts it`,
        where: [],
        remedy:
          'Start etcd with --auto-compaction-mode=periodic --auto-compaction-retention=5m; etcron needs no history of etcd.',
      });
    return findings;
  },
};

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
