/** The workers of a chaos run, each on a machine with links of its own to each etcd member. */
import type { Keys } from '../src/etcd/keys.js';
import { decodeRecord } from '../src/etcd/record.js';
import { singleKey, type Store } from '../src/etcd/store.js';
import { leaderRecordSchema } from '../src/election/leader-record.js';
import type { Random } from '../src/random.js';
import { TcpLink } from '../test/support/tcp-link.js';
import type { MovableClock } from './faketime.js';
import { Machine } from './machine.js';
import type { FaultKind } from './nemesis.js';

export interface FleetSetup {
  readonly store: Store;
  readonly keys: Keys;
  /** `host:port` of each etcd member. */
  readonly members: readonly string[];
  readonly random: Random;
  readonly program: string;
  readonly folder: string;
  readonly onProblem: (text: string) => void;
}

/** Beside those that are always there. */
const MAX_GUESTS = 2;

export class Fleet {
  readonly machines: Machine[] = [];
  /** Those that were there, too. */
  readonly #all: Machine[] = [];
  readonly #setup: FleetSetup;

  constructor(setup: FleetSetup) {
    this.#setup = setup;
  }

  async add(clock: MovableClock | null): Promise<Machine> {
    const { members, random, program, folder, keys, onProblem } = this.#setup;
    const name = `w-${this.#all.length + 1}`;
    const links: TcpLink[] = [];
    for (const member of members)
      links.push(await TcpLink.start(member, { random: random.fork(`${name} ${member}`) }));
    const machine = new Machine({ name, links, clock, program, prefix: keys.prefix, folder, onProblem });
    this.machines.push(machine);
    this.#all.push(machine);
    return machine;
  }

  /** The machine whose worker leads; null when there is none, or etcd does not say. */
  async leader(): Promise<Machine | null> {
    const { store, keys } = this.#setup;
    try {
      const [kv] = (await store.range(singleKey(keys.leader))).kvs;
      const record = kv && decodeRecord(leaderRecordSchema, kv);
      return (record?.ok && this.machines.find(({ name }) => name === record.value.name)) || null;
    } catch {
      return null;
    }
  }

  /** A worker joins, and leaves in order. */
  get guests(): FaultKind {
    let present = 0;
    return {
      name: 'worker joins and leaves',
      victim: 'nobody',
      plan: async (random) => {
        if (present >= MAX_GUESTS)
          return { text: 'nobody joins', holdMs: 0, begin: () => undefined, end: () => undefined };
        present += 1;
        const machine = await this.add(null);
        machine.busy = true;
        return {
          text: `${machine.name}: joins, and leaves`,
          holdMs: 10_000 + random.int(20_000),
          begin: () => machine.start(),
          end: async () => {
            if (machine.isUp) await machine.stop();
            else await machine.destroy();
            this.machines.splice(this.machines.indexOf(machine), 1);
            present -= 1;
          },
        };
      },
    };
  }

  /** Process ids of workers that went together with their watchdogs. */
  get forsaken(): Set<number> {
    return new Set(this.#all.flatMap(({ forsaken }) => [...forsaken]));
  }

  get withMovedClock(): Set<number> {
    return new Set(this.#all.filter(({ clock }) => clock !== null).flatMap(({ pids }) => pids));
  }

  get killedAtMs(): Map<number, number> {
    return new Map(this.#all.flatMap(({ killedAtMs }) => [...killedAtMs]));
  }

  get robbedAtMs(): Map<number, number> {
    return new Map(this.#all.flatMap((machine) => [...machine.robbedAtMs()]));
  }

  get refusedStarts(): number {
    return this.#all.reduce((sum, { refusedStarts }) => sum + refusedStarts, 0);
  }

  /** Whatever is left of the faults. */
  heal(): void {
    for (const machine of this.machines) {
      machine.healLinks();
      machine.thaw();
      machine.start();
    }
  }

  /** All in order. */
  async stop(): Promise<void> {
    await Promise.all(this.machines.filter(({ isUp }) => isUp).map((machine) => machine.stop()));
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#all.map((machine) => machine.destroy()));
  }
}
