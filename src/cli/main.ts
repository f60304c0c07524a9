#!/usr/bin/env node
/** The program `etcron`. */
import { processEnvironment } from './environment.js';
import { runCli } from './program.js';

// A reader that has seen enough (`etcron runs list | head`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
}

const exitCode = await runCli(process.argv.slice(2), processEnvironment());
process.exitCode = exitCode;
// What was written has to arrive before the end; what else is still open must not delay it.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
