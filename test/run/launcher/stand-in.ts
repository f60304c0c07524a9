/** A stand-in for a worker with a watchdog and a launcher; see `StandInWorker` in `support.ts`. Not a test. */
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/clock.js';
import { childEnvironment } from '../../../src/run/child-environment.js';
import { Launcher, type LauncherOptions } from '../../../src/run/launcher/launcher.js';
import { RemoteCommand } from '../../../src/run/launcher/remote-command.js';
import { NO_MASK } from '../../../src/run/mask.js';
import type { EtcdConnection } from '../../../src/run/watchdog/messages.js';
import { Watchdog } from '../../../src/run/watchdog/watchdog.js';
import type { StandInOrder } from './support.js';

const write = (facts: unknown, message?: string): void => {
  process.stderr.write(`worker: ${message ?? ''} ${JSON.stringify(facts)}\n`);
};
const log = { debug: write, info: write, warn: write, error: write } as unknown as LauncherOptions['log'];
const connection = JSON.parse(process.argv[2]!) as EtcdConnection | null;
const watchdog = connection && new Watchdog({ clock: systemClock, log, connection });
const launcher = new Launcher({ clock: systemClock, log, watchdog: watchdog ?? undefined });
const started = Promise.all([watchdog?.start(), launcher.start()]);

async function obey(order: StandInOrder): Promise<unknown> {
  await started;
  if (order.do === 'pids') return JSON.stringify({ launcher: launcher.pid, watchdog: watchdog?.pid ?? null });
  if (order.do === 'session') {
    const trustedUntilMs = systemClock.monotonicMs() + order.ttlMs;
    watchdog?.setSession({ leaseId: '7', ttlMs: order.ttlMs, trustedUntilMs });
    return 'ok';
  }
  const { marker, recovery, command } = order;
  watchdog?.runStarting({ marker, recovery, startsElsewhere: true });
  const identity = { job: 'j', dueIso: '', attempt: 1, runId: 'j', fencingToken: '1' };
  const launch = {
    ...{ file: '/bin/sh', args: ['-c', command], env: childEnvironment(identity, marker, {}) },
    ...{ cwd: null, ids: null, umask: null, stdin: null },
  };
  const run = new RemoteCommand(
    {
      ...{ launch, user: undefined, mask: NO_MASK, marker, hidden: [] },
      request: { timeoutMs: null, killGraceMs: 10_000 },
      outlivesWorker: recovery === 'abandon',
      attempt: { runId: 'j', attempt: 1, fencingToken: '1', nodeId: null },
      permit: () => Infinity,
      startHere: () => {
        throw new Error('not here');
      },
    },
    { clock: systemClock, log },
    launcher,
  );
  if (order.wait === false) return 'ordered';
  await run.begun;
  const { pid, startTicks } = run;
  if (pid !== null) watchdog?.runStarted({ marker, processGroupId: pid, startTicks });
  return pid;
}

createInterface({ input: process.stdin }).on('line', (line) => {
  void obey(JSON.parse(line) as StandInOrder).then((answer) => process.stdout.write(`${String(answer)}\n`));
});
