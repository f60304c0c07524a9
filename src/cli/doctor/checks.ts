import { brokenJobs } from './checks/broken-jobs.js';
import { capacity } from './checks/capacity.js';
import { clocks } from './checks/clocks.js';
import { doubtfulJobs } from './checks/doubtful-jobs.js';
import { etcdAccess } from './checks/etcd-access.js';
import { etcdDatabase } from './checks/etcd-database.js';
import { etcdLatency } from './checks/etcd-latency.js';
import { etcdMembers } from './checks/etcd-members.js';
import { foreignKeys } from './checks/foreign-keys.js';
import { idleJobs } from './checks/idle-jobs.js';
import { leadership } from './checks/leadership.js';
import { overdueFirings } from './checks/overdue-firings.js';
import { placement } from './checks/placement.js';
import { workers } from './checks/workers.js';
import type { Check } from './finding.js';

/** From what everything rests on to what concerns single jobs. */
export const CHECKS: readonly Check[] = [
  etcdMembers,
  etcdDatabase,
  etcdLatency,
  etcdAccess,
  leadership,
  workers,
  clocks,
  capacity,
  overdueFirings,
  placement,
  brokenJobs,
  idleJobs,
  doubtfulJobs,
  foreignKeys,
];
