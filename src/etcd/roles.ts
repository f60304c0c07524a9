/**
 * The least that a worker and people need of etcd, where its authentication is on: ranges of keys by role. Where someone may
 * do the work of several, they get several roles.
 *
 * etcd knows keys and no more: whoever may pause a job may also change its command, since both are its definition. And who
 * may put a record may delete it, so that the audit record is safe from those who only read, not from those who write.
 */
import type { Keys } from './keys.js';
import { prefixRange, singleKey, type KeyRange } from './store.js';

export type EtcdRoleName = 'worker' | 'operator' | 'viewer' | 'admin';

export interface EtcdPermission {
  readonly access: 'read' | 'readwrite';
  readonly range: KeyRange;
}

export interface EtcdRole {
  readonly name: EtcdRoleName;
  readonly purpose: string;
  readonly permissions: readonly EtcdPermission[];
}

export function etcdRoles(keys: Keys): EtcdRole[] {
  // From `counts/` to `workers/`, which leaves out `access/`.
  const all: EtcdPermission = {
    access: 'read',
    range: { start: keys.counts, end: prefixRange(keys.workers).end },
  };
  const change = (...ranges: KeyRange[]): EtcdPermission[] =>
    ranges.map((range) => ({ access: 'readwrite', range }));
  return [
    {
      name: 'worker',
      purpose: 'what etcron worker needs; it changes no definition, limit or token',
      permissions: [
        all,
        { access: 'read', range: prefixRange(keys.tokens) },
        ...change(
          ...[keys.audit, keys.counts, keys.firings, keys.kills, keys.locks].map(prefixRange),
          ...[keys.limitSlots, keys.runs, keys.slots, keys.workers].map(prefixRange),
          ...[keys.cursor, keys.handover, keys.leader, keys.secret].map(singleKey),
        ),
      ],
    },
    {
      name: 'operator',
      purpose: 'people who change, pause, run and kill jobs with etcron on etcd itself',
      permissions: [
        all,
        ...change(
          ...[keys.audit, keys.drains, keys.firings, keys.jobs, keys.kills].map(prefixRange),
          ...[keys.limits, keys.sets].map(prefixRange),
          singleKey(keys.handover),
        ),
      ],
    },
    { name: 'viewer', purpose: 'people and programs that look', permissions: [all] },
    {
      name: 'admin',
      purpose: 'everything of this cluster, tokens included',
      permissions: change(prefixRange(`${keys.prefix}/`)),
    },
  ];
}
