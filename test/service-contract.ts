/**
 * What every `Service` must do (see src/service.ts). Call `serviceContract` from the test file of a service:
 *
 *     serviceContract('Mirror', () => new Mirror(store, …), { leftovers: () => (clock.pendingTimers ? ['a timer'] : []) });
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import type { Service } from '../src/service.js';

export interface ServiceContractOptions {
  /** Makes a service whose `start` rejects. Without it that part of the contract is not looked at. */
  failing?: () => Service | Promise<Service>;
  /** Names what the services of `factory` and `failing` have left behind: timers, watches, children, leases. */
  leftovers?: () => readonly string[] | Promise<readonly string[]>;
  /**
   * Called again and again, one call at a time, while a rule is checked. For services on a fake clock: advances it
   * a little.
   */
  drive?: () => Promise<void>;
  /** How long a start or stop may take in real time; default 30 s. */
  deadlineMs?: number;
}

export type ServiceFactory = () => Service | Promise<Service>;

interface Rule {
  readonly title: string;
  check(factory: ServiceFactory, options: ServiceContractOptions): Promise<void>;
}

/** Long enough for a service that starts processes; a hang is then an error with a name. */
const DEADLINE_MS = 30_000;
/** In how many different turns of the event loop a start is interrupted. */
const INTERRUPTIONS = 12;

export const SERVICE_RULES: readonly Rule[] = [
  {
    title: 'starts, and stops without a trace',
    async check(factory, options) {
      const service = await factory();
      await ends(service.start(), 'start', options);
      await stopsClean(service, options);
    },
  },
  {
    title: 'may be stopped before it was started',
    async check(factory, options) {
      const service = await factory();
      await stopsClean(service, options);
      await stopsClean(service, options);
    },
  },
  {
    title: 'may be stopped twice, one after the other',
    async check(factory, options) {
      const service = await factory();
      await ends(service.start(), 'start', options);
      await stopsClean(service, options);
      await stopsClean(service, options);
    },
  },
  {
    title: 'may be stopped many times at once, and every stop waits for the end',
    async check(factory, options) {
      const service = await factory();
      await ends(service.start(), 'start', options);
      await Promise.all(Array.from({ length: 5 }, () => stopsClean(service, options)));
    },
  },
  {
    title: 'may be stopped at any moment of its start, which then ends too',
    async check(factory, options) {
      for (let turns = 0; turns < INTERRUPTIONS; turns++) {
        const service = await factory();
        const started = settled(service.start());
        for (let i = 0; i < turns; i++) await turn();
        await Promise.all([stopsClean(service, options), stopsClean(service, options)]);
        await ends(started, 'the start that was interrupted', options);
        await leavesNothing('a stop during start', options);
      }
    },
  },
  {
    title: 'can be made anew after another one was stopped',
    async check(factory, options) {
      for (let round = 0; round < 3; round++) {
        const service = await factory();
        await ends(service.start(), 'start', options);
        await stopsClean(service, options);
      }
    },
  },
];

export const FAILING_START_RULE: Rule = {
  title: 'leaves nothing behind when it cannot start, and may be stopped then',
  async check(factory, options) {
    const service = await factory();
    const outcome = await ends(settled(service.start()), 'the start that fails', options);
    if (outcome === 'resolved') throw new Error('start resolved, but was to fail');
    await leavesNothing('a failed start', options);
    await stopsClean(service, options);
  },
};

/** The suite: one test per rule. `factory` is called anew for each service that a rule needs. */
export function serviceContract(
  name: string,
  factory: ServiceFactory,
  options: ServiceContractOptions = {},
): void {
  describe(`${name}: the service contract`, () => {
    for (const rule of SERVICE_RULES) it(rule.title, () => checkRule(rule, factory, options));
    const { failing } = options;
    if (failing !== undefined) {
      it(FAILING_START_RULE.title, () => checkRule(FAILING_START_RULE, failing, options));
    }
  });
}

/** Rejects when the service breaks the rule. */
export async function checkRule(
  rule: Rule,
  factory: ServiceFactory,
  options: ServiceContractOptions,
): Promise<void> {
  const { drive } = options;
  let over = false;
  const driving = async (): Promise<void> => {
    for (; drive !== undefined && !over; await turn()) await drive();
  };
  const checking = rule.check(factory, options).finally(() => (over = true));
  await Promise.all([checking, driving()]);
}

async function stopsClean(service: Service, options: ServiceContractOptions): Promise<void> {
  await ends(service.stop(), 'stop', options);
  await leavesNothing('stop', options);
}

async function leavesNothing(what: string, options: ServiceContractOptions): Promise<void> {
  const left = (await options.leftovers?.()) ?? [];
  if (left.length > 0) throw new Error(`${what} left behind: ${left.join(', ')}`);
}

function settled(promise: Promise<void>): Promise<'resolved' | 'rejected'> {
  return promise.then(
    () => 'resolved' as const,
    () => 'rejected' as const,
  );
}

/** Awaits `promise`; a rejection is passed on, a hang is an error with a name. */
async function ends<T>(promise: Promise<T>, what: string, options: ServiceContractOptions): Promise<T> {
  const { deadlineMs = DEADLINE_MS } = options;
  const over = new AbortController();
  const tooLong = sleep(deadlineMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what} did not end within ${deadlineMs} ms`);
  });
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    over.abort();
    tooLong.catch(() => undefined);
  }
}
