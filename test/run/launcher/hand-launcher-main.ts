/** A launcher whose long timers are fired by the test; see `hand-launcher.ts`. Not a test. */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LauncherServer } from '../../../src/run/launcher/launcher-server.js';
import { machineMonotonicMs } from '../../../src/run/machine-time.js';
import { HandClock } from '../hand-clock.js';

const clock = new HandClock();
clock.now = clock.monotonicMs = machineMonotonicMs;
const path = fileURLToPath(new URL(`./${process.pid}.sock`, import.meta.url));
const control = createServer((socket) => {
  socket.on('error', () => undefined);
  createInterface({ input: socket }).on('line', (line) => {
    const [what, delayMs] = line.split(' ');
    if (what === 'fire') clock.fire(Number(delayMs));
    socket.write(`${clock.held(Number(delayMs))}\n`);
  });
});
control.listen(path, () => new LauncherServer(clock, Number(process.argv[2])).serve());
