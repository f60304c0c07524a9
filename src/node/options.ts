/** The settings of a node, with the defaults that `docs/configuration.md` explains. */
import type { Policy } from '../jobs/policy/policy.js';
import { DEFAULT_HOUSEKEEPING, type HousekeepingOptions } from '../plan/housekeeping.js';

export interface NodeOptions {
  /** The worker's name; a restart keeps it. */
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the handlers that this process has; they come with the library. */
  readonly handlers?: readonly string[];
  /** What it may run; without one everything. */
  readonly policy?: Policy;
  /** How much at once: each run takes the weight of its job. */
  readonly capacity: number;
  readonly leaseTtlMs: number;
  /** How far ahead the leader plans; longer than the lease's TTL and a takeover together. */
  readonly horizonMs: number;
  /** How often the leader plans. */
  readonly strideMs: number;
  /** How long before the due time a firing is claimed. */
  readonly claimLeadMs: number;
  /** How much later the next worker in order tries, when the one before it has not. */
  readonly staggerMs: number;
  /** A firing not started this long after its due time goes through the misfire policy. */
  readonly misfireAfterMs: number;
  /** After so many attempts that were lost with their worker a firing is given up. */
  readonly maxCrashes: number;
  /** SIGTERM → SIGKILL for timeouts and kill requests. */
  readonly killGraceMs: number;
  /** How long a drain waits for running commands before it ends them. */
  readonly drainGraceMs: number;
  /** A node whose clock is off the others' median by more than this neither leads nor claims. */
  readonly maxClockSkewMs: number;
  /** How often a node publishes its clock. */
  readonly clockIntervalMs: number;
  /** How often the mirrored keys are compared with what stands in etcd; default 10 min. */
  readonly compareIntervalMs?: number;
  readonly housekeeping: HousekeepingOptions;
}

export const NODE_DEFAULTS = {
  labels: {},
  capacity: 64,
  leaseTtlMs: 10_000,
  horizonMs: 15_000,
  strideMs: 2_000,
  claimLeadMs: 500,
  staggerMs: 100,
  misfireAfterMs: 10_000,
  maxCrashes: 3,
  killGraceMs: 10_000,
  drainGraceMs: 30_000,
  maxClockSkewMs: 1_000,
  clockIntervalMs: 5_000,
  housekeeping: DEFAULT_HOUSEKEEPING,
} as const satisfies Partial<NodeOptions>;
