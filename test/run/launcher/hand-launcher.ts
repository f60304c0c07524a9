import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { Launcher } from '../../../src/run/launcher/launcher.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { transpile } from '../../support/transpile.js';
import { removeFolder } from '../watchdog/support.js';

/** A real launcher for all tests of a file, whose long timers are fired by hand. */
export function useHandLauncher() {
  let folder = '';
  let launcher!: Launcher;

  beforeAll(async () => {
    folder = transpile('test/run/launcher/hand-launcher-main.ts');
    const entry = join(folder, 'test/run/launcher/hand-launcher-main.js');
    launcher = new Launcher({ clock: systemClock, log: silentLogger(), entry });
    await launcher.start();
  });

  // After a test that has killed it there is another one soon.
  const isThere = async (): Promise<void> => {
    while (!launcher.isReady) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  beforeEach(isThere);

  afterAll(async () => {
    await launcher.stop();
    removeFolder(folder);
  });

  return {
    /** Its program, for another one. */
    get entry() {
      return join(folder, 'test/run/launcher/hand-launcher-main.js');
    },
    get launcher() {
      return launcher;
    },
    /** Returns how many timers of that length wait then. */
    async tell(what: 'held' | 'fire', delayMs: number): Promise<number> {
      await isThere();
      const socket = createConnection(join(folder, 'test/run/launcher', `${launcher.pid}.sock`));
      const lines = createInterface({ input: socket });
      await once(socket, 'connect');
      socket.write(`${what} ${delayMs}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      socket.destroy();
      return Number(line);
    },
  };
}
