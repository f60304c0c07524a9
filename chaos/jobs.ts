/** The jobs of a chaos run: every policy, commands from 10 ms to a minute, failures, retries, timeouts, strays. */
import { commandLine, type CommandOptions } from './command.js';

export interface ChaosJob {
  readonly schedule: string;
  readonly timezone?: string;
  readonly overlap: 'allow' | 'skip' | 'queue' | 'replace';
  readonly everywhere?: true;
  readonly limits?: readonly string[];
  readonly recovery: 'rerun' | 'abandon';
  readonly misfire?: 'once' | 'skip' | { policy: 'all'; limit: number };
  readonly timeout?: string;
  readonly retries?: { attempts: number; delay: string; backoff: 'fixed' | 'exponential' };
  readonly run: CommandOptions;
}

const EVERY_SECOND = '* * * * * *';
const ALL = { policy: 'all', limit: 10_000 } as const;

/** Its size is 1. */
export const SHARED_LIMIT = 'shared';

export const CHAOS_JOBS: Readonly<Record<string, ChaosJob>> = {
  'tick-allow': { schedule: EVERY_SECOND, overlap: 'allow', recovery: 'rerun', run: { durationMs: 10 } },
  'tick-skip': { schedule: EVERY_SECOND, overlap: 'skip', recovery: 'rerun', run: { durationMs: 10 } },
  'tick-abandon': { schedule: EVERY_SECOND, overlap: 'allow', recovery: 'abandon', run: { durationMs: 10 } },
  'tick-all': {
    ...{ schedule: '*/2 * * * * *', overlap: 'allow', recovery: 'rerun', misfire: ALL },
    run: { durationMs: 50 },
  },
  'tick-never-late': {
    ...{ schedule: '*/2 * * * * *', overlap: 'skip', recovery: 'rerun', misfire: 'skip' },
    run: { durationMs: 200 },
  },
  busy: { schedule: '*/2 * * * * *', overlap: 'skip', recovery: 'rerun', run: { durationMs: 1_500 } },
  late: { schedule: '*/3 * * * * *', overlap: 'skip', recovery: 'rerun', run: { durationMs: 4_000 } },
  period: { schedule: '@every 7s', overlap: 'skip', recovery: 'rerun', run: { durationMs: 300 } },
  zone: {
    ...{ schedule: '*/20 * * * * *', timezone: 'Asia/Kathmandu', overlap: 'skip', recovery: 'rerun' },
    run: { durationMs: 800 },
  },
  middle: { schedule: '*/5 * * * * *', overlap: 'allow', recovery: 'rerun', run: { durationMs: 8_000 } },
  'middle-abandon': {
    ...{ schedule: '*/10 * * * * *', overlap: 'skip', recovery: 'abandon' },
    run: { durationMs: 7_000 },
  },
  stubborn: {
    ...{ schedule: '*/15 * * * * *', overlap: 'skip', recovery: 'rerun' },
    run: { durationMs: 12_000, stubborn: true },
  },
  tree: {
    ...{ schedule: '*/12 * * * * *', overlap: 'skip', recovery: 'rerun' },
    run: { durationMs: 9_000, tree: true },
  },
  long: { schedule: '*/30 * * * * *', overlap: 'allow', recovery: 'rerun', run: { durationMs: 25_000 } },
  minute: { schedule: '* * * * *', overlap: 'allow', recovery: 'rerun', run: { durationMs: 60_000 } },
  'minute-abandon': {
    ...{ schedule: '30 * * * * *', overlap: 'allow', recovery: 'abandon' },
    run: { durationMs: 60_000 },
  },
  flaky: {
    ...{ schedule: '*/3 * * * * *', overlap: 'allow', recovery: 'rerun' },
    retries: { attempts: 4, delay: '1s', backoff: 'fixed' },
    run: { durationMs: 100, exitCode: 1, succeedsFromAttempt: 3 },
  },
  'flaky-abandon': {
    ...{ schedule: '*/10 * * * * *', overlap: 'skip', recovery: 'abandon' },
    retries: { attempts: 3, delay: '500ms', backoff: 'exponential' },
    run: { durationMs: 400, exitCode: 2, succeedsFromAttempt: 2 },
  },
  failing: {
    ...{ schedule: '*/10 * * * * *', overlap: 'skip', recovery: 'rerun' },
    retries: { attempts: 2, delay: '1s', backoff: 'fixed' },
    run: { durationMs: 30, exitCode: 7 },
  },
  'too-long': {
    ...{ schedule: '*/20 * * * * *', overlap: 'skip', recovery: 'rerun', timeout: '3s' },
    run: { durationMs: 30_000, stubborn: true },
  },
  queue: { schedule: '*/6 * * * * *', overlap: 'queue', recovery: 'rerun', run: { durationMs: 3_000 } },
  replace: { schedule: '*/20 * * * * *', overlap: 'replace', recovery: 'rerun', run: { durationMs: 25_000 } },
  'limited-1': {
    ...{ schedule: '*/5 * * * * *', overlap: 'skip', recovery: 'rerun', limits: [SHARED_LIMIT] },
    run: { durationMs: 1_000 },
  },
  'limited-2': {
    ...{ schedule: '*/5 * * * * *', overlap: 'queue', recovery: 'rerun', limits: [SHARED_LIMIT] },
    run: { durationMs: 700 },
  },
  everywhere: {
    ...{ schedule: '*/15 * * * * *', overlap: 'skip', recovery: 'rerun', everywhere: true },
    run: { durationMs: 500 },
  },
};

/**
 * What a process must have for itself: its job, or the limit of 1 that its job shares. Those of an `abandon` job need not:
 * one may outlive its lease, and then nobody waits for it any more; nor do those that run beside each other on purpose.
 */
export function isAlone({ overlap, recovery, everywhere, limits }: ChaosJob): string | undefined {
  if (overlap === 'allow' || recovery === 'abandon' || everywhere) return undefined;
  return limits?.[0] ?? 'job';
}

/** The value of the job's key. All of its records are kept, for the checks. */
export function definitionOf(job: ChaosJob, script: string): string {
  const { run, ...fields } = job;
  const alone = isAlone(job);
  const command = commandLine(script, { ...run, ...(alone === undefined ? {} : { alone }) });
  return JSON.stringify({ ...fields, command, history: { limit: 10_000 } });
}
