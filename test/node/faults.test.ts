/**
 * Whole nodes under random faults: lost and late messages, cuts, crashes, resignations, edits, compactions. Whatever
 * happens, the promises hold once the faults are over. A failure names its seed, and the seed alone repeats the run.
 */
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { createRandom, type Random } from '../../src/random.js';
import type { InterceptedCall } from '../../src/testing/memory-store.js';
import { unreachable } from '../../src/testing/refusals.js';
import { MemoryCluster, type MemoryNode } from '../support/memory-cluster.js';
import { auditHistory } from '../support/audit-history.js';

const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1);
const FAULTS_FOR_MS = 60_000;
const CALM_FOR_MS = 120_000;
const RETRIES = { attempts: 3, delay: '2s', backoff: 'fixed' };

const STEADY: Record<string, Record<string, unknown> & { schedule: string }> = {
  quick: { schedule: '*/5 * * * * *' },
  slow: { schedule: '*/10 * * * * *', command: 'run 12000', overlap: 'allow' },
  tight: { schedule: '*/6 * * * * *', command: 'run 5900', overlap: 'skip' },
  flaky: { schedule: '*/10 * * * * *', command: 'run 300 exit 1 until 3', retries: RETRIES },
  hopeless: { schedule: '*/15 * * * * *', command: 'run 300 exit 1', retries: RETRIES, misfire: 'skip' },
  once: { schedule: '*/10 * * * * *', command: 'run 4000', recovery: 'abandon', overlap: 'allow' },
  all: { schedule: '*/10 * * * * *', command: 'run 1500', misfire: { policy: 'all', limit: 5 } },
};

const EDITS: readonly Record<string, unknown>[] = [
  { schedule: '*/5 * * * * *' },
  { schedule: '*/4 * * * * *' },
  { schedule: '*/4 * * * * *', command: 'run 900' },
  { schedule: '*/5 * * * * *', paused: true },
];

class Faults {
  readonly random: Random;
  readonly cluster: MemoryCluster;
  #made = 0;
  #severity = 0;

  constructor(seed: number) {
    this.random = createRandom(`faults ${seed}`);
    this.cluster = new MemoryCluster({
      seed,
      node: { drainGraceMs: 3_000 },
      store: (_, random) => ({
        intercept: (call) => this.#disturb(call, random),
        watchDelayMs: () => (random.chance(this.#severity / 4) ? random.int(4_000) : random.int(20)),
      }),
    });
  }

  heal(): void {
    this.#severity = 0;
    for (const { store } of this.cluster.nodes) store.partition(false);
  }

  async addNode(): Promise<void> {
    await this.cluster.addNodes(`n${(this.#made += 1)}`);
  }

  /** One fault, drawn by weight. */
  async strike(): Promise<void> {
    const { cluster, random } = this;
    const { nodes, clock } = cluster;
    const node = nodes.length > 0 ? random.pick(nodes) : null;
    const kind = random.int(20);
    if (kind < 4) this.#severity = random.pick([0, 0.05, 0.2, 0.5]);
    else if (kind < 7) node?.store.partition(random.chance(0.6));
    else if (kind < 8) for (const { store } of nodes) store.partition(random.chance(0.3));
    else if (kind < 10 && nodes.length > 1) node?.crash();
    else if (kind < 11 && nodes.length > 1) this.#stop(node!);
    else if (kind < 14 && nodes.length < 4) void this.#addInBackground();
    else if (kind < 17) await this.edit();
    else if (kind < 18 && cluster.etcd.compactRevision < cluster.etcd.revision) cluster.etcd.compact();
    await clock.settle();
  }

  async edit(): Promise<void> {
    const { cluster, random } = this;
    if (random.chance(0.2)) await cluster.deleteKey(cluster.keys.job('edited'));
    else await cluster.putJob('edited', random.pick(EDITS));
  }

  #stop(node: MemoryNode): void {
    const { nodes } = this.cluster;
    nodes.splice(nodes.indexOf(node), 1);
    void node.node.stop();
  }

  /** A start that fails under the faults is what an operator would repeat. */
  #addInBackground(): void {
    this.cluster.startNode(`n${(this.#made += 1)}`).catch(() => undefined);
  }

  async #disturb({ phase, method }: InterceptedCall, random: Random): Promise<void> {
    const severity = method === 'leaseKeepAlive' ? this.#severity / 2 : this.#severity;
    if (random.chance(severity / 3)) throw unreachable(`the ${phase} got lost`, true);
    if (random.chance(severity / 3)) await sleep(this.cluster.clock, random.int(3_000));
    else await sleep(this.cluster.clock, random.int(3));
  }
}

async function run(seed: number): Promise<string[]> {
  const faults = new Faults(seed);
  const { cluster, random } = faults;
  const { clock } = cluster;
  await faults.addNode();
  await faults.addNode();
  await faults.addNode();
  for (const [name, definition] of Object.entries(STEADY)) await cluster.putJob(name, definition);
  await cluster.putJob('edited', EDITS[0]!);
  const fromMs = clock.now();
  while (clock.now() < fromMs + FAULTS_FOR_MS) {
    await faults.strike();
    await clock.advance(random.int(4_000));
  }
  faults.heal();
  await cluster.putJob('edited', EDITS[1]!);
  const healedMs = clock.now();
  await faults.addNode();
  await clock.advance(CALM_FOR_MS);
  const throughMs = clock.now() - 30_000;
  const wrong = [...cluster.violations(), ...cluster.stuck(60_000), ...auditHistory(cluster, STEADY)];
  for (const [name, { schedule }] of Object.entries(STEADY)) {
    wrong.push(...cluster.accounting(name, schedule, fromMs, throughMs));
  }
  wrong.push(...cluster.accounting('edited', String(EDITS[1]!.schedule), healedMs, throughMs));
  await cluster.stop();
  return wrong;
}

describe('a cluster under random faults', () => {
  it.each(SEEDS)('keeps its promises (seed %i)', async (seed) => {
    expect(await run(seed), `seed ${seed}`).toEqual([]);
  });
});
