/**
 * Every metric of a worker: its name, what it says, its labels. From this table the metrics are made, and `docs/metrics.md`,
 * the dashboard and the alert rules are checked against it.
 *
 * No label has values that grow with what users put in: no job, no run, no node id. Times are in seconds, sizes in bytes, and
 * names follow https://prometheus.io/docs/practices/naming/.
 */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  /** With all values that each can have, or what bounds them. */
  readonly labels?: Readonly<Record<string, readonly string[] | string>>;
  readonly buckets?: readonly number[];
}

/** 1 ms to 1 h: a start that is on time takes some milliseconds, one after an outage up to an hour and more. */
const LATENESS_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
];
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 43_200];
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const OUTCOME_LABELS = [
  ...['succeeded', 'failed', 'timed_out', 'killed', 'skipped', 'missed', 'lost', 'cancelled'],
];
export const START_LABELS = ['on_schedule', 'queued', 'misfire', 'retry', 'manual'] as const;
const ETCD_OPERATIONS = [
  ...['range', 'txn', 'lease_grant', 'lease_keep_alive', 'lease_revoke', 'status', 'watch'],
];

/** In the order in which they are shown. */
export const METRICS = {
  buildInfo: {
    type: 'gauge',
    name: 'etcron_build_info',
    help: 'Always 1; the labels say what runs here.',
    labels: { version: 'of etcron', node_version: 'of Node.js', worker: 'the name of the worker' },
  },
  // ── runs of this worker ─────────────────────────────────────────────────────────────────────────────────────────
  lateness: {
    type: 'histogram',
    name: 'etcron_run_lateness_seconds',
    help: 'How long after the time at which it was to start each attempt started.',
    labels: { start: START_LABELS },
    buckets: LATENESS_BUCKETS,
  },
  duration: {
    type: 'histogram',
    name: 'etcron_run_duration_seconds',
    help: 'How long attempts took.',
    buckets: DURATION_BUCKETS,
  },
  attempts: {
    type: 'counter',
    name: 'etcron_attempts_total',
    help: 'Attempts that ended on this worker, by what becomes of the firing then.',
    labels: { outcome: OUTCOME_LABELS, next: ['recorded', 'retry', 'handed_over'] },
  },
  runs: {
    type: 'counter',
    name: 'etcron_runs_total',
    help: 'Records of runs that this worker wrote, as the worker that ran them or as the leader: each run is counted once in the cluster.',
    labels: { outcome: OUTCOME_LABELS },
  },
  missedDueTimes: {
    type: 'counter',
    name: 'etcron_missed_due_times_total',
    help: 'Due times that no run was started for: one record of the outcome missed can stand for many.',
  },
  held: {
    type: 'gauge',
    name: 'etcron_runs_held',
    help: 'Firings that this worker has claimed and not ended, running or not.',
  },
  running: { type: 'gauge', name: 'etcron_runs_running', help: 'Runs that go on on this worker.' },
  load: { type: 'gauge', name: 'etcron_load', help: 'The weight of what this worker has claimed.' },
  capacity: { type: 'gauge', name: 'etcron_capacity', help: 'The weight that this worker takes at once.' },
  // ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────────
  claims: {
    type: 'counter',
    name: 'etcron_claims_total',
    help: 'Attempts of this worker to claim a firing, by how etcd answered.',
    labels: { result: ['won', 'held', 'slot_taken', 'limit_taken', 'changed'] },
  },
  // ── leading ─────────────────────────────────────────────────────────────────────────────────────────────────────
  isLeader: {
    type: 'gauge',
    name: 'etcron_is_leader',
    help: '1 on the worker that leads and is sure of it.',
  },
  leaderChanges: {
    type: 'counter',
    name: 'etcron_leader_changes_total',
    help: 'How often this worker has seen another node take the office.',
  },
  plannedAhead: {
    type: 'gauge',
    name: 'etcron_planned_ahead_seconds',
    help: 'How far ahead due times are planned, as this worker sees it; negative when planning is behind.',
  },
  planned: {
    type: 'counter',
    name: 'etcron_firings_planned_total',
    help: 'Firings that this worker wrote as the leader, those for each worker of a job that runs everywhere among them.',
  },
  // ── the cluster as the leader sees it ───────────────────────────────────────────────────────────────────────────
  firings: {
    type: 'gauge',
    name: 'etcron_firings',
    help: 'Firings that are not over, by state; on the leader only.',
    labels: { state: ['planned', 'waiting', 'in_flight', 'late'] },
  },
  workers: {
    type: 'gauge',
    name: 'etcron_workers',
    help: 'Workers by state; on the leader only.',
    labels: { state: ['active', 'draining', 'clock_off'] },
  },
  unplaceableJobs: {
    type: 'gauge',
    name: 'etcron_jobs_unplaceable',
    help: 'Jobs that no worker can run, for want of a label, a handler or capacity; on the leader only.',
  },
  unplaceableFirings: {
    type: 'gauge',
    name: 'etcron_firings_unplaceable',
    help: 'Firings of jobs that no worker can run; on the leader only.',
  },
  jobs: { type: 'gauge', name: 'etcron_jobs', help: 'Job definitions in etcd, as this worker sees them.' },
  brokenJobs: {
    type: 'gauge',
    name: 'etcron_jobs_broken',
    help: 'Job definitions that are broken and do not run, of those that this worker has looked at.',
  },
  // ── lease and clock ─────────────────────────────────────────────────────────────────────────────────────────────
  trust: {
    type: 'gauge',
    name: 'etcron_lease_trust_seconds',
    help: 'For how much longer this worker may rely on its lease; 0 without one.',
  },
  leaseTtl: { type: 'gauge', name: 'etcron_lease_ttl_seconds', help: 'The TTL of the lease as configured.' },
  trustLost: {
    type: 'counter',
    name: 'etcron_lease_trust_lost_total',
    help: 'How often the lease was not renewed in time, so that this worker stopped what relied on it.',
  },
  leasesLost: {
    type: 'counter',
    name: 'etcron_leases_lost_total',
    help: 'Leases that etcd ended; the worker then begins again under a new one.',
  },
  clockSkew: {
    type: 'gauge',
    name: 'etcron_clock_skew_seconds',
    help: "How far this worker's clock is ahead of the median of all; absent while fewer than three clocks are known.",
  },
  clockOk: {
    type: 'gauge',
    name: 'etcron_clock_ok',
    help: '0 while the clock is so far off that this worker neither leads nor claims.',
  },
  // ── etcd ────────────────────────────────────────────────────────────────────────────────────────────────────────
  watchConnected: {
    type: 'gauge',
    name: 'etcron_watch_connected',
    help: '1 while the watch is live; otherwise what this worker knows may be old.',
    labels: { watch: ['schedule', 'workers'] },
  },
  watchLag: {
    type: 'histogram',
    name: 'etcron_watch_lag_seconds',
    help: "From etcd's answer to a write of this worker until its own watch shows that write; of at most one write a second.",
    buckets: REQUEST_BUCKETS,
  },
  viewAge: {
    type: 'gauge',
    name: 'etcron_view_age_seconds',
    help: 'Since the watch on the schedule showed anything. The leader moves the cursor every 2 s, so that more than some seconds mean a dead watch, or no leader.',
  },
  etcdRequests: {
    type: 'histogram',
    name: 'etcron_etcd_request_duration_seconds',
    help: 'How long etcd took to answer, failed requests included.',
    labels: { operation: ETCD_OPERATIONS.filter((name) => name !== 'watch') },
    buckets: REQUEST_BUCKETS,
  },
  etcdErrors: {
    type: 'counter',
    name: 'etcron_etcd_errors_total',
    help: 'Requests to etcd that failed, and watches that were interrupted, by the code of the error.',
    labels: { operation: ETCD_OPERATIONS, code: 'ETCRON_… codes of the store' },
  },
  databaseSize: {
    type: 'gauge',
    name: 'etcron_etcd_db_size_bytes',
    help: "Size of the member's database file, which is what the quota is about; on the leader only.",
    labels: { endpoint: 'one for each member of etcd' },
  },
  databaseInUse: {
    type: 'gauge',
    name: 'etcron_etcd_db_in_use_bytes',
    help: 'What of the database file holds something; on the leader only.',
    labels: { endpoint: 'one for each member of etcd' },
  },
  databaseQuota: {
    type: 'gauge',
    name: 'etcron_etcd_db_quota_bytes',
    help: 'The quota as etcron was told it; on the leader only.',
    labels: { endpoint: 'one for each member of etcd' },
  },
  databaseFull: {
    type: 'gauge',
    name: 'etcron_etcd_db_full',
    help: '1 while etcd refuses writes because the database reached its quota; on the leader only.',
    labels: { endpoint: 'one for each member of etcd' },
  },
  // ── processes beside the worker ─────────────────────────────────────────────────────────────────────────────────
  sidecarUp: {
    type: 'gauge',
    name: 'etcron_sidecar_up',
    help: '1 while the process beside the worker is there.',
    labels: { process: ['watchdog', 'launcher'] },
  },
  sidecarRestarts: {
    type: 'counter',
    name: 'etcron_sidecar_restarts_total',
    help: 'How often a process beside the worker, or the thread of its API, ended unasked or hung, and was replaced.',
    labels: { process: ['watchdog', 'launcher', 'api'] },
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricKey = keyof typeof METRICS;
