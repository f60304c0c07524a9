/**
 * What somebody asks of workers in the middle of everything: to drain and to take runs again, and of the leader to hand over. A
 * request that etcd does not take is none; the end of a drain is asked for until etcd has it.
 */
import { systemClock } from '../src/clock.js';
import { EtcronError } from '../src/errors.js';
import type { Cluster } from '../src/etcd/cluster.js';
import { drainWorker, resumeWorker } from '../src/operations/drain-worker.js';
import { handOver } from '../src/operations/hand-over.js';
import { waitUntil } from '../test/support/wait.js';
import type { Machine } from './machine.js';
import { between, type FaultKind } from './nemesis.js';

/** Longer than etcd is ever down. */
const ASKED_WITHIN_MS = 120_000;

export function requestFaults({ store, keys }: Cluster, machines: () => readonly Machine[]): FaultKind[] {
  const context = { store, keys, clock: systemClock, actor: { name: 'chaos' } };
  return [
    {
      name: 'worker drained, and resumed',
      victim: 'machine',
      plan(random, machine) {
        const { name } = machine!;
        const holdMs = between(random, 1_000, 15_000);
        return {
          text: `${name}: drained, and resumed, after ${holdMs} ms`,
          holdMs,
          begin: () => unlessRefused(drainWorker(context, name, { reason: 'chaos' })),
          end: async () => {
            await waitUntil(
              () =>
                resumeWorker(context, name).then(
                  () => true,
                  // The request is gone, and the worker with it.
                  (error: unknown) => isRefusal(error) && error.code === 'ETCRON_WORKER_NOT_FOUND',
                ),
              { what: `etcd to take the end of the drain of ${name}`, timeoutMs: ASKED_WITHIN_MS },
            );
          },
        };
      },
    },
    {
      name: 'leadership handed over',
      victim: 'leader',
      plan(random, machine) {
        const others = machines().filter((one) => one !== machine);
        const to = random.chance(0.5) ? undefined : random.pick(others).name;
        return {
          text: `${machine!.name}: leadership handed over, to ${to ?? 'whoever is first'}`,
          holdMs: 1_000,
          begin: () => unlessRefused(handOver(context, to === undefined ? {} : { to })),
          end: () => undefined,
        };
      },
    },
  ];
}

/** etcd is out of reach, or what is asked for makes no sense any more. */
async function unlessRefused(asking: Promise<unknown>): Promise<void> {
  try {
    await asking;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

function isRefusal(error: unknown): error is EtcronError {
  return error instanceof EtcronError && error.code !== 'ETCRON_INTERNAL';
}
