/** What can happen to one worker: its process, its watchdog, its launcher, its connections, its clock. */
import type { Random } from '../src/random.js';
import type { Machine } from './machine.js';
import { between, type Fault, type FaultKind } from './nemesis.js';

const MINUTE_MS = 60_000;
/** How far a clock goes wrong, either way. */
const WRONG_BY_MS = 5 * MINUTE_MS;
const JUMP_EVERY_MS = 1_500;
/** Longer than a lease and shorter. */
const FREEZES_MS = [800, 3_000, 7_000, 14_000, 22_000] as const;

type Plan = (machine: Machine, random: Random) => Omit<Fault, 'text'> & { readonly detail?: string };

function kind(name: string, plan: Plan, victim: FaultKind['victim'] = 'machine'): FaultKind {
  return {
    name,
    victim,
    plan(random, machine) {
      const { detail, ...fault } = plan(machine!, random);
      return { ...fault, text: `${machine!.name}: ${name}${detail === undefined ? '' : `, ${detail}`}` };
    },
  };
}

const kill: Plan = (machine, random) => ({
  holdMs: between(random, 0, 5_000),
  begin: () => machine.kill(),
  end: () => machine.start(),
});

/** On all of its links. */
function onLinks(change: (link: Machine['links'][number]) => void, fromMs: number, toMs: number): Plan {
  return (machine, random) => {
    const holdMs = between(random, fromMs, toMs);
    return {
      holdMs,
      detail: `for ${holdMs} ms`,
      begin: () => machine.links.forEach(change),
      end: () => machine.healLinks(),
    };
  };
}

function clockOff(byMs: number): Plan {
  return ({ clock }, random) => ({
    holdMs: between(random, 8_000, 25_000),
    begin: () => clock!.set(byMs),
    end: () => clock!.set(0),
  });
}

export const MACHINE_FAULTS: readonly FaultKind[] = [
  kind('worker killed', kill),
  kind('leader killed', kill, 'leader'),
  kind('worker frozen', (machine, random) => {
    const holdMs = random.pick(FREEZES_MS);
    return {
      holdMs,
      detail: `for ${holdMs} ms`,
      begin: () => machine.freeze(),
      end: () => machine.thaw(),
    };
  }),
  kind(
    'leader frozen',
    (machine) => ({ holdMs: 14_000, begin: () => machine.freeze(), end: () => machine.thaw() }),
    'leader',
  ),
  kind('watchdog killed', (machine) => ({
    // It takes a moment to be replaced; a worker killed in that moment would have none.
    holdMs: 5_000,
    begin: () => machine.killWatchdog(),
    end: () => undefined,
  })),
  kind('watchdog frozen', (machine, random) => ({
    holdMs: between(random, 2_000, 15_000),
    begin: () => machine.freezeWatchdog(),
    end: () => machine.thaw(),
  })),
  kind('launcher killed', (machine) => ({
    holdMs: 1_000,
    begin: () => machine.killLauncher(),
    end: () => undefined,
  })),
  kind('launcher frozen', (machine, random) => {
    const holdMs = random.pick(FREEZES_MS);
    return {
      holdMs,
      detail: `for ${holdMs} ms`,
      begin: () => machine.freezeLauncher(),
      end: () => machine.thaw(),
    };
  }),
  kind('worker killed, its launcher frozen', (machine, random) => ({
    holdMs: between(random, 0, 5_000),
    begin: () => machine.killWithLauncherFrozen(),
    end: () => {
      machine.thaw();
      machine.start();
    },
  })),
  kind('worker and watchdog killed', (machine, random) => ({
    holdMs: between(random, 0, 5_000),
    begin: () => machine.killWithWatchdog(),
    end: () => machine.start(),
  })),
  kind('worker and watchdog frozen', (machine, random) => ({
    holdMs: random.pick(FREEZES_MS),
    begin: () => machine.freezeWithWatchdog(),
    end: () => machine.thaw(),
  })),
  kind('worker stopped in order', (machine, random) => ({
    holdMs: between(random, 0, 3_000),
    begin: () => machine.stop(),
    end: () => machine.start(),
  })),
  kind(
    'connections reset',
    onLinks((link) => link.cut(), 500, 20_000),
  ),
  kind(
    'cut off in silence',
    onLinks((link) => link.silence(), 500, 20_000),
  ),
  kind(
    'leader cut off in silence',
    onLinks((link) => link.silence(), 12_000, 20_000),
    'leader',
  ),
  kind(
    'answers lost',
    onLinks((link) => link.swallowAnswers(), 500, 8_000),
  ),
  kind(
    'slow links',
    onLinks((link) => link.delay(120, 250), 5_000, 15_000),
  ),
  kind(
    'lossy links',
    onLinks((link) => link.lossy(0.1), 5_000, 15_000),
  ),
  kind('one etcd member out of its reach', (machine, random) => {
    const link = random.pick(machine.links);
    return {
      holdMs: between(random, 2_000, 12_000),
      begin: () => (random.chance(0.5) ? link.cut() : link.silence()),
      end: () => machine.healLinks(),
    };
  }),
  kind('clock five minutes ahead', clockOff(WRONG_BY_MS), 'clock'),
  kind('clock five minutes behind', clockOff(-WRONG_BY_MS), 'clock'),
  kind(
    'clock jumps',
    ({ clock }, random) => {
      let jumps: NodeJS.Timeout | undefined;
      let done = Promise.resolve();
      const jump = (): void => {
        done = done.then(() => clock!.set(random.int(2 * WRONG_BY_MS) - WRONG_BY_MS));
      };
      return {
        holdMs: between(random, 8_000, 20_000),
        begin: () => {
          jumps = setInterval(jump, JUMP_EVERY_MS);
        },
        end: async () => {
          clearInterval(jumps);
          await done;
          await clock!.set(0);
        },
      };
    },
    'clock',
  ),
];
