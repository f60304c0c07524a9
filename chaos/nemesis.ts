/**
 * Breaks real things for a while: draws a fault, lets it last, and undoes it, several at a time. Kinds come from a shuffled
 * deck, so that each is drawn once before any is drawn again; the seed decides kinds, victims and times (what the
 * processes make of it is theirs).
 *
 * A machine suffers one fault at a time, and so does etcd, so that each of them can be undone by itself. Some machines are
 * always left alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/errors.js';
import type { Random } from '../src/random.js';
import type { Machine } from './machine.js';

/** A fault with its victim. */
export interface Fault {
  readonly text: string;
  readonly holdMs: number;
  begin(): void | Promise<void>;
  end(): void | Promise<void>;
}

export interface FaultKind {
  readonly name: string;
  /** What it takes for itself while it lasts. */
  readonly victim: 'machine' | 'clock' | 'leader' | 'etcd' | 'nobody';
  /** `machine`: the victim, when it is one. */
  plan(random: Random, machine: Machine | null): Fault | Promise<Fault>;
}

export interface NotedFault {
  readonly kind: string;
  readonly text: string;
  readonly fromMs: number;
  /** Null while it lasts. */
  throughMs: number | null;
}

export interface NemesisSetup {
  readonly random: Random;
  readonly kinds: readonly FaultKind[];
  readonly machines: () => readonly Machine[];
  /** The machine whose worker leads; null when nobody can tell. */
  readonly leader: () => Promise<Machine | null>;
  readonly onNote: (fault: NotedFault) => void;
  readonly onProblem: (text: string) => void;
}

type Victim = Machine | 'etcd' | 'nobody';

const MAX_FAULTY_MACHINES = 3;
const MAX_PAUSE_MS = 3_000;
/** When whoever is to be struck is struck already. */
const BUSY_PAUSE_MS = 250;

export class Nemesis {
  readonly faults: NotedFault[] = [];
  readonly #setup: NemesisSetup;
  readonly #active = new Set<Promise<void>>();
  #deck: FaultKind[] = [];
  #etcdIsBusy = false;

  constructor(setup: NemesisSetup) {
    this.#setup = setup;
  }

  /** Strikes until `isOver`, then waits until everything is undone. */
  async run(isOver: () => boolean): Promise<void> {
    const { random } = this.#setup;
    while (!isOver()) {
      const struck = await this.#strike();
      await sleep(struck ? random.int(MAX_PAUSE_MS) : BUSY_PAUSE_MS);
    }
    await Promise.all(this.#active);
  }

  /** The first of the deck whose victim is free. */
  async #strike(): Promise<boolean> {
    const { random, kinds } = this.#setup;
    if (this.#deck.length === 0) this.#deck = random.shuffle(kinds);
    for (const [index, kind] of this.#deck.entries()) {
      const victim = await this.#victimOf(kind);
      if (victim === undefined) continue;
      this.#deck.splice(index, 1);
      this.#occupy(victim, true);
      const work = this.#suffer(kind, victim).finally(() => {
        this.#occupy(victim, false);
        this.#active.delete(work);
      });
      this.#active.add(work);
      return true;
    }
    return false;
  }

  /** Undefined: busy. */
  async #victimOf({ victim }: FaultKind): Promise<Victim | undefined> {
    if (victim === 'nobody') return 'nobody';
    if (victim === 'etcd') return this.#etcdIsBusy ? undefined : 'etcd';
    const machines = this.#setup.machines();
    if (machines.filter(({ busy }) => busy).length >= MAX_FAULTY_MACHINES) return undefined;
    const free = machines.filter(({ busy, isUp }) => !busy && isUp);
    if (victim === 'leader') {
      const leader = await this.#setup.leader();
      return leader !== null && free.includes(leader) ? leader : undefined;
    }
    // Two wrong clocks at a time could outvote the right ones.
    const clockIsWrong = machines.some(({ busy, clock }) => busy && clock !== null);
    const able = victim === 'clock' ? free.filter(({ clock }) => clock !== null && !clockIsWrong) : free;
    return able.length > 0 ? this.#setup.random.pick(able) : undefined;
  }

  #occupy(victim: Victim, busy: boolean): void {
    if (victim === 'etcd') this.#etcdIsBusy = busy;
    else if (victim !== 'nobody') victim.busy = busy;
  }

  async #suffer(kind: FaultKind, victim: Victim): Promise<void> {
    const { random, onNote, onProblem } = this.#setup;
    try {
      const fault = await kind.plan(random, typeof victim === 'string' ? null : victim);
      const noted: NotedFault = { kind: kind.name, text: fault.text, fromMs: Date.now(), throughMs: null };
      this.faults.push(noted);
      onNote(noted);
      try {
        await fault.begin();
        await sleep(fault.holdMs);
      } finally {
        await fault.end();
        noted.throughMs = Date.now();
        onNote(noted);
      }
    } catch (error) {
      onProblem(`the fault "${kind.name}" could not be carried out: ${messageOf(error)}`);
    }
  }
}

/** How long a fault lasts: drawn between two times, ms. */
export function between(random: Random, fromMs: number, toMs: number): number {
  return fromMs + random.int(toMs - fromMs);
}
