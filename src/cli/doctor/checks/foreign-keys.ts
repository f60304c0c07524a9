import type { Check } from '../finding.js';

export const foreignKeys: Check = {
  name: 'foreign-keys',
  good: 'every key is one that etcron wrote, and holds what it should',
  find: ({ foreign }) =>
    foreign.length === 0
      ? []
      : [
          {
            severity: 'warning',
            what: 'keys were not written by etcron, or are damaged; they are ignored',
            where: foreign.map(({ key, problem }) => `${key}: ${problem}`),
            remedy:
              'Look at each ("etcdctl get <key>"), find out who writes there, and delete it ("etcdctl del <key>").',
          },
        ],
};
