/**
 * The watchdog process; `../watchdog.ts` explains it. Argument: the worker's pid, for people who look at `ps`, and for
 * the log.
 *
 *     watching ── "done" ──────────────────────────────────────────────────────▶ exit
 *        │  ▲
 *        │  └─ trust not extended in time: trees of `rerun` runs ended, lease left alone
 *        └── pipe ends ──▶ launcher ended ──▶ trees of `rerun` runs ended ──▶ lease revoked ──▶ exit
 *
 * Each way ends: killing and revoking go on until the lease has expired by itself, no longer.
 */
import { sleep, systemClock } from '../../../clock.js';
import { endTree } from '../../end-tree.js';
import { machineMonotonicMs } from '../../machine-time.js';
import type { EtcdConnection, Message } from '../messages.js';
import { WatchedState, type WatchedRun } from '../watched-state.js';
import { revokeEverywhere } from './revoke-everywhere.js';
import { SidecarLog } from './sidecar-log.js';
import { TrustTimer } from './trust-timer.js';

/** For trees of a worker that had no lease. */
const SHORTEST_EFFORT_MS = 30_000;
const LAST_WORDS_MS = 1_000;
const READY = 'ready\n';

const workerPid = Number(process.argv[2]);
const log = new SidecarLog(workerPid);
const state = new WatchedState();
const trust = new TrustTimer(() => void workerSilent());
let connection: EtcdConnection | null = null;
let over = false;

// The terminal's Ctrl-C, and a service manager that signals all processes, mean the worker; its end is ours.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);

let unread = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  const lines = (unread + chunk).split('\n');
  // What follows the last line end is the beginning of a line, and never finished if the worker dies now.
  unread = lines.pop() ?? '';
  for (const line of lines) receive(JSON.parse(line) as Message);
});
process.stdin.on('close', () => void workerGone());
// 'close' follows.
process.stdin.on('error', () => undefined);
process.stdout.on('error', () => undefined);
process.stdout.write(READY);

function receive(message: Message): void {
  if (over) return;
  state.apply(message);
  if (message.type === 'lease') trust.set(message.trustedUntilMs);
  else if (message.type === 'settings') {
    connection = message.connection;
    log.format = message.logFormat;
  } else if (message.type === 'done') void exit();
}

/** The worker is frozen, or cut off from etcd and too busy to act. */
async function workerSilent(): Promise<void> {
  const ended = await endTrees([...state.runs.values()]);
  if (ended > 0) {
    log.warn(
      { runs: ended },
      'the worker did not renew its lease in time and did not end its runs; ended them',
    );
  }
}

async function workerGone(): Promise<void> {
  if (over) return;
  over = true;
  trust.cancel();
  const { lease } = state;
  const leaseEndsMs = systemClock.monotonicMs() + (lease?.ttlMs ?? 0);
  const effortMs = Math.max(lease?.ttlMs ?? 0, SHORTEST_EFFORT_MS);
  const runs = [...state.runs.values()];
  const ended = await Promise.race([endAll(runs), sleep(systemClock, effortMs).then(() => null)]);
  if (ended === null) {
    log.error({ runs: runs.length }, 'the worker ended, and processes of its runs cannot be ended; gave up');
  } else if (lease?.leaseId && connection) {
    const { revoked, problems } = await revokeEverywhere(connection, lease.leaseId, leaseEndsMs);
    if (revoked)
      log.warn({ runs: ended }, 'the worker ended without a word; ended its runs, revoked its lease');
    else {
      log.warn(
        { runs: ended, problems },
        'the worker ended without a word; ended its runs, but could not revoke its lease, which will expire',
      );
    }
  } else if (ended > 0) log.warn({ runs: ended }, 'the worker ended without a word; ended its runs');
  await exit();
}

/** The launchers first, be they frozen: after that no run can begin which a look would not have found. */
async function endAll(runs: readonly WatchedRun[]): Promise<number> {
  await endTrees([...state.launchers.values()]);
  return endTrees(runs);
}

/** How many of them were still alive. */
async function endTrees(runs: readonly WatchedRun[]): Promise<number> {
  const ended = await Promise.all(runs.map((run) => endTree(run, log)));
  return ended.filter(Boolean).length;
}

async function exit(): Promise<void> {
  over = true;
  const deadlineMs = machineMonotonicMs() + LAST_WORDS_MS;
  while (!log.flushed && machineMonotonicMs() < deadlineMs) await sleep(systemClock, 5);
  // An orderly exit would wait for a write that nobody reads.
  if (!log.flushed) process.kill(process.pid, 'SIGKILL');
  process.exit(0);
}
