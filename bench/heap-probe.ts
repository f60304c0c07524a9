/**
 * Loaded into a worker with `node --import`, beside an etcron that knows nothing of it: at SIGUSR2 it has the garbage
 * collected, through the inspector's own protocol, and appends what is left to the file that BENCH_HEAP_FILE names.
 */
import { appendFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import type { HeapSample } from './memory.js';

const file = process.env.BENCH_HEAP_FILE;

if (file !== undefined) {
  const session = new Session();
  session.connect();
  process.on('SIGUSR2', () => {
    void session.post('HeapProfiler.collectGarbage').then(() => {
      const { heapUsed, external, rss } = process.memoryUsage();
      appendFileSync(file, `${JSON.stringify({ heapUsed, external, rss } satisfies HeapSample)}\n`);
    });
  });
}
