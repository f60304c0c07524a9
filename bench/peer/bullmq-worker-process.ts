/**
 * A worker process of the peer: BullMQ workers on one queue, whose processor does nothing, or spawns a command as the bare
 * spawners do. It notes by its own clock when each run of a job started; talks to `bullmq-peer.ts` over IPC and ends with it.
 */
import { spawn } from 'node:child_process';
import { Worker } from 'bullmq';
import { dueOfJob, type StartNote } from './starts.js';

export interface BullmqOrder {
  readonly port: number;
  readonly queue: string;
  /** How many BullMQ workers share this process, and how many jobs each of them may run at once. */
  readonly instances: number;
  readonly concurrency: number;
  readonly command: boolean;
}

/** What the peer asks and is told. */
export type ToWorker =
  { readonly type: 'start'; readonly order: BullmqOrder } | { readonly type: 'progress' | 'report' };

export interface FromWorker {
  /** Only when they were asked for, since there can be many; each is told once. */
  readonly starts: readonly StartNote[];
  /** Durably completed so far, and when the last of them was acknowledged (wall clock, ms). */
  readonly completed: number;
  readonly lastCompletedMs: number;
  readonly errors: readonly string[];
}

const KEPT_ERRORS = 5;

const starts: StartNote[] = [];
let completed = 0;
let lastCompletedMs = 0;
const errors: string[] = [];

process.on('message', (message: ToWorker) => {
  if (message.type === 'start') void start(message.order).then(() => tell([]));
  else if (message.type === 'progress') tell([]);
  else tell(starts.splice(0));
});
process.on('disconnect', () => process.exit());

function tell(some: readonly StartNote[]): void {
  process.send?.({ starts: some, completed, lastCompletedMs, errors } satisfies FromWorker);
}

async function start({ port, queue, instances, concurrency, command }: BullmqOrder): Promise<void> {
  const connection = { host: '127.0.0.1', port };
  const workers = Array.from(
    { length: instances },
    () =>
      new Worker<{ dueMs?: number }>(
        queue,
        async (job) => {
          if (command) await runCommand();
          else note(job.id!, job.data.dueMs);
          return null;

          function runCommand(): Promise<void> {
            return new Promise((resolve, reject) => {
              const child = spawn('/bin/true', [], {
                stdio: ['ignore', 'pipe', 'pipe'],
                detached: true,
                env: { PATH: process.env.PATH },
              });
              note(job.id!, job.data.dueMs);
              child.stdout.resume();
              child.stderr.resume();
              child.on('error', reject);
              child.on('close', () => resolve());
            });
          }
        },
        { connection, concurrency },
      ),
  );
  for (const worker of workers) {
    worker.on('completed', () => {
      completed += 1;
      lastCompletedMs = Date.now();
    });
    worker.on('failed', (job, error) => remember(`${job?.id}: ${error.message}`));
    worker.on('error', (error) => remember(error.message));
  }
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
}

function note(id: string, dueMs: number | undefined): void {
  const startedMs = Date.now();
  starts.push({ id, dueMs: dueMs ?? dueOfJob(id), startedMs });
}

function remember(error: string): void {
  if (errors.length < KEPT_ERRORS) errors.push(error);
}
