/** What one seed's cluster looks like: its jobs and the settings of its nodes. */
import type { NodeOptions } from '../../node/options.js';
import type { Random } from '../../random.js';

export type Definition = Readonly<Record<string, unknown>> & {
  readonly schedule: string;
  readonly command: string;
};

export interface Scenario {
  readonly workers: number;
  /** Jobs that nobody touches once they are there. */
  readonly steady: ReadonlyMap<string, Definition>;
  /** Jobs that are edited, paused, deleted and broken; the first definition of each. */
  readonly restless: ReadonlyMap<string, Definition>;
  /** The sizes of the limits that jobs share. */
  readonly limits: ReadonlyMap<string, number>;
  readonly node: Partial<NodeOptions>;
  /** For how long there are faults, and how long it takes from one to the next at most, ms. */
  readonly faultsMs: number;
  readonly pauseMs: number;
  /** A clock may be off by far more than `maxClockSkew`. */
  readonly hasWrongClocks: boolean;
}

const SCHEDULES = [
  '* * * * * *',
  '*/2 * * * * *',
  '*/3 * * * * *',
  '*/5 * * * * *',
  '*/10 * * * * *',
] as const;
const SELDOM = ['*/15 * * * * *', '*/20 * * * * *', '*/30 * * * * *', '* * * * *', '@every 7s'] as const;

/** Retries are spaced far enough that no skew between two clocks can hide one that comes early. */
const RETRIES = [
  { attempts: 3, delay: '2s', backoff: 'fixed' },
  { attempts: 2, delay: '4s' },
  { attempts: 4, delay: '1500ms', backoff: 'exponential', maxDelay: '5s' },
] as const;

export function drawScenario(random: Random): Scenario {
  const jobs = 3 + random.int(6);
  const restless = 1 + random.int(2);
  const workers = random.pick([1, 2, 2, 3, 3, 3, 4, 5]);
  const longestMs = random.pick([20_000, 30_000, 30_000, 50_000, 80_000]);
  return {
    workers,
    faultsMs: longestMs / 2 + random.int(longestMs / 2),
    pauseMs: random.pick([500, 1_500, 3_000, 3_000, 5_000]),
    hasWrongClocks: workers >= 3 && random.chance(0.6),
    steady: named('steady', jobs - restless, random),
    restless: named('restless', restless, random),
    limits: drawLimits(random.fork('limits')),
    node: {
      leaseTtlMs: random.pick([3_000, 5_000, 10_000]),
      capacity: random.pick([64, 64, 64, 4]),
      killGraceMs: 1_000,
      drainGraceMs: random.pick([500, 3_000]),
    },
  };
}

function named(prefix: string, count: number, random: Random): Map<string, Definition> {
  const placements = random.fork(`placement of ${prefix}`);
  const sharing = random.fork(`sharing of ${prefix}`);
  const underLimits = sharing.pick([0.1, 0.2, 0.8]);
  const bounds = random.fork(`bounds of ${prefix}`);
  return new Map(
    Array.from({ length: count }, (_, index) => [
      `${prefix}-${index + 1}`,
      withBounds(
        { ...drawDefinition(random), ...drawPlacement(placements), ...drawSharing(sharing, underLimits) },
        bounds,
      ),
    ]),
  );
}

/** Where it runs; most jobs do not care. */
function drawPlacement(random: Random): Partial<Definition> {
  return {
    ...(random.chance(0.12) ? { everywhere: true } : {}),
    ...(random.chance(0.15) ? { weight: 2 } : {}),
  };
}

const LIMITS = ['db', 'gpu'] as const;

function drawLimits(random: Random): Map<string, number> {
  return new Map(LIMITS.map((name) => [name, 1 + random.int(3)]));
}

/** How it shares room with other runs; about half of the jobs as before there was a choice. */
function drawSharing(random: Random, underLimits: number): Partial<Definition> {
  const overlap = random.pick([null, null, 'queue', { policy: 'queue', limit: 2 }, 'replace', 'skip']);
  const maxConcurrent = random.pick([1, 1, 2, 3]);
  const limits = LIMITS.filter(() => random.chance(underLimits));
  return {
    ...(overlap === null ? {} : { overlap, maxConcurrent }),
    ...(limits.length === 0 ? {} : { limits }),
  };
}

/** How often it runs, and how late it may start; most jobs are free. */
function withBounds(definition: Definition, random: Random): Definition {
  const maxRuns = random.chance(0.4) ? random.pick([3, 20]) + random.int(40) : null;
  const startDeadline = random.chance(0.2) ? random.pick(['1s', '3s', '8s', '15s']) : null;
  return {
    ...definition,
    ...(maxRuns === null || definition.everywhere === true ? {} : { maxRuns }),
    ...(startDeadline === null ? {} : { startDeadline }),
  };
}

export function drawDefinition(random: Random): Definition {
  const often = random.chance(0.6);
  const schedule = often ? random.pick(SCHEDULES) : random.pick(SELDOM);
  const retries = random.chance(0.5);
  return {
    schedule,
    command: drawCommand(random, retries),
    overlap: random.pick(['allow', 'skip']),
    recovery: random.pick(['rerun', 'rerun', 'abandon']),
    misfire: drawMisfire(random),
    ...(retries ? { retries: random.pick(RETRIES) } : {}),
    ...(random.chance(0.15) ? { timeout: '3s' } : {}),
  };
}

export function drawCommand(random: Random, retries: boolean): string {
  const durationMs = random.pick([5, 40, 300, 900, 1_500, 2_900, 5_500, 9_000]);
  const failing = random.chance(retries ? 0.7 : 0.2);
  const exit = failing ? ` exit 1${random.chance(0.7) ? ` until ${2 + random.int(2)}` : ''}` : '';
  return `run ${durationMs}${exit}${random.chance(0.15) ? ' stubborn' : ''}`;
}

function drawMisfire(random: Random): unknown {
  return random.pick([
    'once',
    'once',
    'skip',
    { policy: 'all', limit: 5 },
    { policy: 'all', window: '12s', limit: 20 },
  ]);
}
