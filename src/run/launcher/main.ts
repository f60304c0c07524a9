/** The launcher process; `launcher.ts` explains it. Argument: the worker's pid. */
import { systemClock } from '../../clock.js';
import { machineMonotonicMs } from '../machine-time.js';
import { LauncherServer } from './launcher-server.js';

// The terminal's Ctrl-C, and a service manager that signals all processes, mean the worker; its end is ours.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);

// The worker alone knows what its wall clock shows.
const clock = { ...systemClock, now: machineMonotonicMs, monotonicMs: machineMonotonicMs };
new LauncherServer(clock, Number(process.argv[2])).serve();
