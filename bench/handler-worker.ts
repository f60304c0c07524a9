/**
 * The worker of the scenarios with handlers: a program that uses etcron as a library, with one handler that does nothing but
 * note when it was called, by this process's clock and against the due time. Notes stay in memory, and are written to a
 * file now and then, when somebody asks (SIGUSR2), and at the end.
 *
 * `performance.now()` advances like the wall clock as long as nobody sets that one; it is compared at the end.
 */
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type * as Library from '../src/index.js';
import { NUMBERS_PER_NOTE, numberOf } from './notes.js';

const FLUSH_EVERY_MS = 1_000;
const CLOCKS_AGREE_MS = 5;

const { values } = parseArgs({
  options: {
    library: { type: 'string' },
    notes: { type: 'string' },
    name: { type: 'string' },
    endpoints: { type: 'string' },
    prefix: { type: 'string' },
    capacity: { type: 'string' },
  },
});
const { library = '', notes: file = '', name = '', endpoints = '', prefix = '', capacity = '' } = values;
const { createNode } = (await import(library)) as typeof Library;

let pending = new Float64Array(4_096 * NUMBERS_PER_NOTE);
let used = 0;

function note(job: number, dueMs: number, attempt: number, latenessMs: number): void {
  if (used === pending.length) {
    const larger = new Float64Array(pending.length * 2);
    larger.set(pending);
    pending = larger;
  }
  pending[used] = job;
  pending[used + 1] = dueMs;
  pending[used + 2] = attempt;
  pending[used + 3] = latenessMs;
  used += NUMBERS_PER_NOTE;
}

function flush(): void {
  if (used === 0) return;
  appendFileSync(file, new Uint8Array(pending.buffer, 0, used * Float64Array.BYTES_PER_ELEMENT));
  used = 0;
}

const node = createNode({
  name,
  prefix,
  etcd: { endpoints },
  capacity: Number(capacity),
  sync: false,
  handlers: {
    noop: ({ job, due, attempt }) => {
      const dueMs = due.getTime();
      note(numberOf(job), dueMs, attempt, performance.timeOrigin + performance.now() - dueMs);
    },
  },
});

process.on('SIGUSR2', () => {
  note(NaN, 0, 0, 0);
  flush();
});
const timer = setInterval(flush, FLUSH_EVERY_MS);
process.once('SIGTERM', () => {
  void node.stop().then(() => {
    clearInterval(timer);
    flush();
    const offMs = performance.timeOrigin + performance.now() - Date.now();
    if (Math.abs(offMs) > CLOCKS_AGREE_MS)
      console.error(`the clock was set by ${offMs.toFixed(0)} ms meanwhile`);
  });
});
await node.start();
