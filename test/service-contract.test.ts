import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sleep, type Timer } from '../src/clock.js';
import type { Service } from '../src/service.js';
import { FakeClock } from '../src/testing/fake-clock.js';
import { FAILING_START_RULE, SERVICE_RULES, checkRule, serviceContract } from './service-contract.js';

/** Ticks every second; both its start and its stop take their time on the clock. */
class Ticker implements Service {
  private timer: Timer | null = null;
  private starting: Promise<void> = Promise.resolve();
  private stopping: Promise<void> | null = null;

  constructor(
    private readonly clock: FakeClock,
    private readonly fails = false,
  ) {}

  start(): Promise<void> {
    this.starting = this.begin();
    return this.starting;
  }

  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async begin(): Promise<void> {
    if (this.stopping !== null) throw new Error('stopped');
    this.tick();
    await sleep(this.clock, 50);
    if (!this.fails) return;
    this.timer?.cancel();
    throw new Error('no tick today');
  }

  private async end(): Promise<void> {
    await this.starting.catch(() => undefined);
    this.timer?.cancel();
    await sleep(this.clock, 50);
  }

  private tick(): void {
    this.timer = this.clock.setTimer(1000, () => this.tick());
  }
}

function onFakeClock() {
  const clock = new FakeClock();
  return {
    clock,
    options: {
      failing: () => new Ticker(clock, true),
      leftovers: () => (clock.pendingTimers > 0 ? [`${clock.pendingTimers} timers`] : []),
      drive: () => clock.advance(10),
    },
  };
}

const good = onFakeClock();
serviceContract('Ticker', () => new Ticker(good.clock), good.options);

let open = 0;
serviceContract(
  'a service without a clock',
  () => {
    let running = false;
    return {
      start: async () => {
        if (!running) open++;
        running = true;
      },
      stop: async () => {
        if (running) open--;
        running = false;
      },
    };
  },
  { leftovers: () => (open > 0 ? [`${open} open`] : []) },
);

describe('the service contract', () => {
  /** The titles of the rules that a service breaks. */
  async function broken(make: (clock: FakeClock) => Service): Promise<string[]> {
    const titles: string[] = [];
    for (const rule of [...SERVICE_RULES, FAILING_START_RULE]) {
      const { clock, options } = onFakeClock();
      const check = checkRule(rule, () => make(clock), { ...options, deadlineMs: 200 });
      await check.catch(() => titles.push(rule.title));
    }
    return titles;
  }

  it('finds nothing wrong with a service that keeps it, but a start that was to fail', async () => {
    expect(await broken((clock) => new Ticker(clock))).toEqual([FAILING_START_RULE.title]);
  });

  it.each<[string, (ticker: Ticker, clock: FakeClock) => Service, RegExp]>([
    [
      'stop that forgets its timer',
      (ticker, clock) => ({
        start: () => ticker.start(),
        stop: () => ticker.stop().then(() => void clock.setTimer(1e9, () => undefined)),
      }),
      /without a trace/,
    ],
    [
      'second stop that rejects',
      (ticker) => {
        let stops = 0;
        return {
          start: () => ticker.start(),
          stop: async () => (stops++ === 0 ? ticker.stop() : Promise.reject(new Error('stopped already'))),
        };
      },
      /one after the other/,
    ],
    [
      'second stop that does not wait for the first',
      (ticker) => {
        let stops = 0;
        return { start: () => ticker.start(), stop: async () => (stops++ === 0 ? ticker.stop() : undefined) };
      },
      /many times at once/,
    ],
    [
      'stop that does not see a start under way',
      (ticker) => {
        let started = false;
        return {
          start: async () => {
            await turn();
            await ticker.start();
            started = true;
          },
          stop: async () => (started ? ticker.stop() : undefined),
        };
      },
      /any moment of its start/,
    ],
    ['stop that hangs without a start', (ticker) => hangsUnlessStarted(ticker), /before it was started/],
    [
      'failed start that leaves a timer',
      (ticker, clock) => ({
        start: async () => {
          clock.setTimer(1e9, () => undefined);
          throw new Error('cannot start');
        },
        stop: () => ticker.stop(),
      }),
      /cannot start/,
    ],
  ])('catches a %s', async (_, spoil, rule) => {
    const titles = await broken((clock) => spoil(new Ticker(clock), clock));
    expect(titles).toContainEqual(expect.stringMatching(rule));
  });

  function hangsUnlessStarted(ticker: Ticker): Service {
    let begun = false;
    return {
      start: () => {
        begun = true;
        return ticker.start();
      },
      stop: () => (begun ? ticker.stop() : new Promise(() => undefined)),
    };
  }
});
