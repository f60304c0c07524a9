/** The stand-in for a worker; see `StandIn` in `support.ts`. Not a test. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/clock.js';
import { RUN_MARKER_VARIABLE } from '../../../src/run/child-environment.js';
import type { EtcdConnection } from '../../../src/run/watchdog/messages.js';
import { Watchdog, type WatchdogOptions } from '../../../src/run/watchdog/watchdog.js';
import type { Order } from './support.js';

const write = (facts: unknown, message?: string): void => {
  process.stderr.write(`worker: ${message ?? ''} ${JSON.stringify(facts)}\n`);
};
const log = { debug: write, info: write, warn: write, error: write } as unknown as WatchdogOptions['log'];
const connection = JSON.parse(process.argv[2]!) as EtcdConnection;
const watchdog = new Watchdog({ clock: systemClock, log, connection });
const started = watchdog.start();

async function obey(order: Order): Promise<unknown> {
  await started;
  switch (order.do) {
    case 'session': {
      const { leaseId, ttlMs, trustMs } = order;
      watchdog.setSession({ leaseId, ttlMs, trustedUntilMs: systemClock.monotonicMs() + trustMs });
      return 'ok';
    }
    case 'run': {
      const { marker, recovery, command, groupUnknown } = order;
      watchdog.runStarting({ marker, recovery });
      const child = spawn('/bin/sh', ['-c', command], {
        detached: true,
        stdio: 'ignore',
        env: { PATH: process.env.PATH, [RUN_MARKER_VARIABLE]: marker },
      });
      if (!groupUnknown) watchdog.runStarted({ marker, processGroupId: child.pid! });
      child.on('exit', () => watchdog.runEnded(marker));
      return child.pid;
    }
    case 'pid':
      return watchdog.pid;
    case 'stop':
      await watchdog.stop();
      setImmediate(() => process.exit(0));
      return 'stopped';
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  void obey(JSON.parse(line) as Order).then((answer) => process.stdout.write(`${String(answer)}\n`));
});
