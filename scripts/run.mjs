/**
 * What `npm start`, `npm test` and `npm run bench`, `bench:report`, `chaos`, `screenshots` and `simulate` run: all set-up first, then the program with
 * the arguments that follow `--`.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { root, setup, setupTools, SetupError } from './setup.mjs';

const commands = {
  start: (args) => [join(root, 'dist', 'cli', 'main.js'), 'dev', '-f', 'jobs.example.yaml', ...args],
  test: (args) => [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...args],
  bench: (args) => [join(setupTools(), 'bench', 'main.js'), ...args],
  'bench:report': (args) => [join(setupTools(), 'bench', 'report-main.js'), ...args],
  chaos: (args) => [join(setupTools(), 'chaos', 'main.js'), ...args],
  screenshots: (args) => [
    join(setupTools(), 'test', 'screenshots', 'main.js'),
    join(root, 'dist', 'cli', 'main.js'),
    join(root, 'docs', 'images'),
    ...args,
  ],
  simulate: (args) => [join(root, 'dist', 'testing', 'simulation', 'main.js'), ...args],
};

/** Signals that come within this time are one wish: the terminal and npm both send a Ctrl-C on. */
const SAME_SIGNAL_MS = 500;

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(commands, name ?? '')) {
  console.error(`Usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
  process.exit(2);
}
try {
  setup();
  runInForeground(commands[name](args));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exit(1);
}

/**
 * Runs Node with `nodeArgs` and ends like it ends. The program is in a session of its own, out of reach of the terminal's
 * Ctrl-C, so that each signal reaches it through here, once: a second one tells etcron to end at once. When this process
 * is killed, a guard that holds the other end of a pipe ends the program in order.
 */
function runInForeground(nodeArgs) {
  const child = spawn(process.execPath, nodeArgs, { cwd: root, stdio: 'inherit', detached: true });
  const guard = spawn('/bin/sh', ['-c', `read -r _; kill -TERM ${child.pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);

  let lastForwarded = -Infinity;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (performance.now() - lastForwarded < SAME_SIGNAL_MS) return;
      lastForwarded = performance.now();
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    });
  }
  child.on('error', (error) => {
    guard.kill('SIGKILL');
    console.error(`${process.execPath} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    guard.kill('SIGKILL');
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}
