/** Made-up clusters for the page: an ordinary one, an empty one, and an absurd one. */
import type { FakeData, JobData, RunData, WorkerData } from './fake-api.js';
import { iso, limit } from './fake-api.js';

const MINUTE_MS = 60_000;

export function emptyData(nowMs: number): FakeData {
  return {
    nowMs,
    session: { name: 'local', role: 'admin', via: 'loopback', expires: null },
    token: 'etcron_good',
    jobs: [],
    runs: [],
    workers: [],
    problems: [],
    limits: [],
    audit: [],
    tokens: [],
    history: [],
  };
}

export function job(name: string, nowMs: number, changed: Partial<JobData> = {}): JobData {
  const definition = { schedule: '*/5 * * * *', command: 'pg_dump main' };
  return {
    name,
    state: 'ok',
    pause: null,
    schedule: ['*/5 * * * *'],
    timezone: 'Europe/Berlin',
    when: 'Every 5 minutes',
    description: 'Copies the database to the other site',
    labels: { team: 'data' },
    kind: 'command',
    cannotRun: null,
    problem: null,
    next: iso(nowMs + 4 * MINUTE_MS),
    running: 0,
    late: 0,
    lastRun: null,
    revision: 41,
    key: `/cron/jobs/${name}`,
    set: null,
    definition,
    text: JSON.stringify(definition),
    yaml: "schedule: '*/5 * * * *'\ntimezone: Europe/Berlin\ncommand: pg_dump main\n",
    problems: [],
    bounds: '',
    maxRuns: null,
    runsCounted: null,
    limits: [],
    recovery: 'rerun',
    dueTimes: [
      {
        due: iso(nowMs + 4 * MINUTE_MS),
        local: 'Sun 2026-03-29 03:00:00 +02:00',
        note: 'moved from 02:30, which this day does not have',
        schedules: [],
      },
      {
        due: iso(nowMs + 9 * MINUTE_MS),
        local: 'Sun 2026-03-29 03:05:00 +02:00',
        note: null,
        schedules: [],
      },
    ],
    underWay: [],
    lastRuns: [],
    ...changed,
  };
}

export function run(name: string, dueMs: number, changed: Partial<RunData> = {}): RunData {
  const due = iso(dueMs);
  return {
    run: `${name}/${due}`,
    job: name,
    due,
    suffix: null,
    manual: false,
    state: 'ended',
    outcome: 'succeeded',
    reason: null,
    why: null,
    attempts: 1,
    crashes: 0,
    worker: 'w-1',
    node: 'w-1-abc123',
    notBefore: null,
    startedAt: iso(dueMs + 2),
    endedAt: iso(dueMs + 1_202),
    durationMs: 1_200,
    latenessMs: 2,
    exitCode: 0,
    signal: null,
    recordedAt: iso(dueMs + 1_210),
    hasOutput: true,
    killRequested: false,
    fencingToken: '812',
    requestedBy: null,
    misfire: false,
    claimedAt: null,
    kill: null,
    missed: null,
    late: null,
    stdout: { text: 'one\n\u001b[31mtwo is red\u001b[0m\nthree\n', truncated: false, totalBytes: 32 },
    stderr: { text: 'a warning\n', truncated: false, totalBytes: 10 },
    problem: null,
    revision: 900,
    jobExists: true,
    ...changed,
  };
}

export function worker(name: string, nowMs: number, changed: Partial<WorkerData> = {}): WorkerData {
  return {
    node: `${name}-abc123`,
    name,
    host: 'db-host-1',
    pid: 4_711,
    version: '0.1.0',
    state: 'active',
    skewed: false,
    leader: false,
    capacity: 8,
    load: 2,
    running: 0,
    labels: { zone: 'eu', disk: 'ssd' },
    handlers: [],
    since: iso(nowMs - 86_400_000),
    clock: iso(nowMs),
    api: null,
    drain: null,
    runs: [],
    ...changed,
  };
}

/** A cluster with a bit of everything. */
export function ordinaryData(nowMs: number): FakeData {
  const at = (minutes: number): number => Math.floor(nowMs / MINUTE_MS) * MINUTE_MS + minutes * MINUTE_MS;
  const running = run('billing-sync', at(-1), {
    state: 'running',
    outcome: null,
    endedAt: null,
    durationMs: null,
    exitCode: null,
    recordedAt: null,
    stdout: null,
    stderr: null,
  });
  const runs: RunData[] = [running];
  for (let minute = 0; minute < 58; minute += 1) {
    const name = ['heartbeat', 'report-eu', 'backup', 'cache'][minute % 4]!;
    runs.push(
      run(
        name,
        at(-1 - minute),
        minute % 17 === 5
          ? { outcome: 'failed', exitCode: 2, reason: 'the command ended with exit code 2' }
          : minute % 13 === 7
            ? { outcome: 'skipped', attempts: 0, latenessMs: null, durationMs: null, reason: 'overlap' }
            : { latenessMs: 1 + ((minute * 7) % 5) },
      ),
    );
  }
  runs.push(run('report-us', at(-20), { outcome: 'lost', reason: 'its worker w-3 died', attempts: 1 }));
  return {
    ...emptyData(nowMs),
    jobs: [
      job('backup', nowMs, {
        underWay: [],
        lastRuns: runs.filter((one) => one.job === 'backup').slice(0, 10),
        lastRun: { run: runs[3]!.run, due: runs[3]!.due, outcome: 'succeeded', durationMs: 1_200 },
      }),
      job('billing-sync', nowMs, { running: 1, next: iso(nowMs + 23_000) }),
      job('cache', nowMs),
      job('gpu-train', nowMs, { cannotRun: 'no worker has the label gpu=a100' }),
      job('heartbeat', nowMs, {
        schedule: ['@every 10s'],
        when: 'Every 10 seconds',
        next: iso(nowMs + 7_000),
      }),
      job('report-eu', nowMs),
      job('report-us', nowMs, {
        state: 'paused',
        pause: { reason: 'quarter is closed (ann)', until: null },
        next: iso(nowMs + 5 * MINUTE_MS),
      }),
      job('typo', nowMs, {
        state: 'broken',
        problem: 'scheduel is not a field of a job',
        problems: [
          {
            code: 'ETCRON_JOB_INVALID',
            path: 'scheduel',
            message: 'is not a field of a job',
            hint: 'Did you mean "schedule"?',
            line: 1,
            column: 1,
          },
        ],
        definition: null,
        when: null,
        next: null,
        dueTimes: [],
        recovery: null,
      }),
    ],
    runs,
    workers: [
      worker('w-1', nowMs, { load: 4, running: 1, runs: [running] }),
      worker('w-2', nowMs, { leader: true, load: 1 }),
      worker('w-3', nowMs, {
        state: 'draining',
        drain: { by: 'ann', reason: 'kernel update', at: iso(nowMs - MINUTE_MS) },
      }),
    ],
    limits: [
      limit('database', 2, {
        held: [running.run],
        waiting: 2,
        waitingRuns: [run('report-eu', at(-1)).run, run('backup', at(0)).run],
        jobs: ['backup', 'billing-sync', 'report-eu', 'report-us'],
      }),
      limit('mail', null, { jobs: ['cache'] }),
      limit('spare', 5),
    ],
    audit: [
      {
        id: 'a1',
        at: iso(nowMs - 5 * MINUTE_MS),
        actor: { name: 'ann', role: 'admin', via: 'page' },
        changes: [{ key: 'jobs/backup', before: '{"schedule":"@daily"}', after: '{"schedule":"@hourly"}' }],
      },
    ],
    tokens: [
      {
        id: 't1',
        name: 'ci',
        role: 'operator',
        createdAt: iso(nowMs - 86_400_000),
        createdBy: 'ann',
        expires: iso(nowMs + 86_400_000),
      },
    ],
    history: Array.from({ length: 120 }, (_, day) => ({
      date: iso(nowMs - day * 86_400_000).slice(0, 10),
      outcomes: day % 19 === 4 ? { succeeded: 280, failed: 8 } : { succeeded: 288 },
      durationMs: { median: 1_200, max: 9_000 },
    })),
  };
}

export const LONG_NAME = `the-nightly-${'really-'.repeat(15)}long-one`.padEnd(128, 'x').slice(0, 128);

/** Ten thousand jobs, names of 128 characters, texts without a space, numbers without end. */
export function absurdData(nowMs: number): FakeData {
  const data = ordinaryData(nowMs);
  const reason = 'x'.repeat(400);
  data.jobs = Array.from({ length: 10_000 }, (_, index) =>
    job(
      index % 10 === 0
        ? `${LONG_NAME.slice(0, 122)}-${String(index).padStart(5, '0')}`
        : `job-${String(index).padStart(5, '0')}`,
      nowMs,
      {
        when: index % 10 === 0 ? reason : 'Every 5 minutes',
        description: reason,
        labels: Object.fromEntries(
          Array.from({ length: 12 }, (_, label) => [`label-${label}`, 'v'.repeat(60)]),
        ),
        cannotRun: index % 100 === 0 ? reason : null,
        pause: index % 33 === 0 ? { reason, until: null } : null,
        state: index % 33 === 0 ? 'paused' : 'ok',
        running: index % 7 === 0 ? 1_000_000 : 0,
      },
    ),
  );
  data.runs = data.runs.map((one, index) =>
    index % 3 === 0
      ? {
          ...one,
          job: LONG_NAME,
          run: `${LONG_NAME}/${one.due}`,
          worker: 'worker-'.repeat(18),
          reason,
          durationMs: 9e12,
          latenessMs: 9e12,
          attempts: 999_999,
          stdout: { text: `${'='.repeat(20_000)}\n`.repeat(3), truncated: true, totalBytes: 9e15 },
        }
      : one,
  );
  data.workers = Array.from({ length: 24 }, (_, index) =>
    worker(index % 2 === 0 ? `w-${index}` : `${'worker-'.repeat(18)}${index}`, nowMs, {
      leader: index === 1,
      host: 'host-'.repeat(40),
      load: index * 1_000,
      capacity: 60_000,
      labels: Object.fromEntries(Array.from({ length: 8 }, (_, label) => [`label-${label}`, 'v'.repeat(80)])),
    }),
  );
  data.limits = Array.from({ length: 40 }, (_, index) =>
    limit(index % 2 === 0 ? `${LONG_NAME.slice(0, 122)}-${index}` : `limit-${index}`, index * 2_500, {
      held: Array.from({ length: 60 }, (__, held) => `${LONG_NAME}/${iso(nowMs + held)}`),
      waiting: 1_000_000,
      waitingRuns: Array.from({ length: 50 }, (__, waits) => `${LONG_NAME}/${iso(nowMs - waits)}`),
      jobs: Array.from({ length: 200 }, () => LONG_NAME),
    }),
  );
  data.problems = ['etcd: the database of 7.9 GB is close to its quota', reason];
  return data;
}
