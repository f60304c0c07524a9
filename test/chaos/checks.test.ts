/** The checks of the chaos run can fail: each is shown a trace that is wrong in one way. */
import { describe, expect, it } from 'vitest';
import { checkAccounting } from '../../chaos/checks/accounting.js';
import type { Observations } from '../../chaos/checks/observations.js';
import { checkStarts } from '../../chaos/checks/starts.js';
import { parseEvidence } from '../../chaos/evidence.js';
import type { ChaosJob } from '../../chaos/jobs.js';
import { measure } from '../../chaos/recovery.js';
import { emptyRecord, type RunRecord } from '../../src/history/run-record.js';

const DUE_MS = Date.parse('2026-11-21T14:00:00.000Z');
const RUN_ID = 'again/2026-11-21T14:00:00.000Z';
const OTHER_RUN = 'again/2026-11-21T13:59:50.000Z';

const JOBS: Record<string, ChaosJob> = {
  again: { schedule: '*/10 * * * * *', overlap: 'skip', recovery: 'rerun', run: { durationMs: 1_000 } },
  once: { schedule: '0 0 * * *', overlap: 'skip', recovery: 'abandon', run: { durationMs: 1_000 } },
};

/** Lines of evidence: `<ms after due> <attempt> <token> <worker pid> <what> [<detail>]`. */
function evidence(runId: string, ...lines: string[]): string {
  return lines
    .map((line) => {
      const [afterMs, attempt, token, pid, ...what] = line.split(' ');
      const micros = String((DUE_MS + Number(afterMs)) * 1000);
      return [runId, attempt, token, pid, micros, ...what, ...(what.length === 1 ? ['-'] : [])].join(' ');
    })
    .join('\n');
}

function succeeded(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    ...emptyRecord('succeeded', null, DUE_MS),
    attempts: 1,
    exitCode: 0,
    fencingToken: '7',
    ...fields,
  };
}

function observe(text: string, fields: Partial<Observations> = {}): Observations {
  return {
    jobs: JOBS,
    attempts: parseEvidence(text),
    records: new Map([[RUN_ID, succeeded()]]),
    firings: [],
    fromMs: DUE_MS - 1,
    throughMs: DUE_MS,
    forsaken: new Set(),
    withMovedClock: new Set(),
    robbedAtMs: new Map(),
    killedAtMs: new Map(),
    ...fields,
  };
}

const brokenIn = (seen: Observations): string[] =>
  [...checkStarts(seen), ...checkAccounting(seen)].map(({ broken, text }) => `${broken}: ${text}`);

const GOOD = evidence(RUN_ID, '1 1 7 100 start', '900 1 7 100 end 0');

describe('the checks of a chaos run', () => {
  it('find nothing wrong with what is right', () => {
    expect(brokenIn(observe(GOOD))).toEqual([]);
  });

  it('see a start before its time, and allow a clock that is a little wrong only where one was moved', () => {
    const early = evidence(RUN_ID, '-1 1 7 100 start', '900 1 7 100 end 0');
    expect(brokenIn(observe(early))).toEqual(['early: started 1 ms early']);
    expect(brokenIn(observe(early, { withMovedClock: new Set([100]) }))).toEqual([]);
    const byFar = evidence(RUN_ID, '-2000 1 7 100 start', '900 1 7 100 end 0');
    expect(brokenIn(observe(byFar, { withMovedClock: new Set([100]) }))).toEqual([
      'early: started 2000 ms early',
    ]);
  });

  it('take the one record of a job for all workers as a sum, and what replaces another as meant', () => {
    const jobs: Record<string, ChaosJob> = {
      again: { ...JOBS.again!, everywhere: true },
      next: { ...JOBS.again!, overlap: 'replace' },
    };
    const child = `${RUN_ID}+on-w-1`;
    const records = new Map([
      [RUN_ID, { ...emptyRecord('failed', 'on 2 workers: 1 lost, 1 succeeded', DUE_MS), attempts: 1 }],
      [child, succeeded()],
      [`${RUN_ID}+on-w-2`, { ...emptyRecord('lost', 'not run again', DUE_MS), attempts: 1, crashes: 1 }],
      ['next/2026-11-21T14:00:00.000Z', emptyRecord('killed', 'replaced by next/x', DUE_MS)],
    ]);
    const text = evidence(child, '1 1 7 100 start', '900 1 7 100 end 0');
    expect(brokenIn(observe(text, { jobs, records }))).toEqual([]);
    expect(brokenIn(observe(text, { jobs: { ...jobs, again: JOBS.again! }, records }))).toEqual([
      'false record: says failed, and its last attempt was never started',
      'false record: says lost after 1 crashes',
    ]);
    expect(brokenIn(observe('', { jobs, records, firings: [child] }))).toContain(
      'stuck: had not ended when the run was over',
    );
  });

  it('see an attempt that ran twice, and a token that does not grow', () => {
    const twice = `${GOOD}\n${evidence(RUN_ID, '1000 1 7 200 start', '1100 1 7 200 end 0')}`;
    const found = brokenIn(observe(twice, { records: new Map([[RUN_ID, succeeded({ attempts: 2 })]]) }));
    expect(found).toEqual([
      'duplicate: attempt 1 started after 1',
      'duplicate: attempt 1 has token 7 after 7',
    ]);
  });

  it('see processes beside each other, unless worker and watchdog went together', () => {
    const text = evidence(
      RUN_ID,
      '1 2 7 200 start',
      `2 2 7 200 beside ${RUN_ID},1,100`,
      `2 2 7 200 beside ${OTHER_RUN},1,100`,
      '900 2 7 200 end 0',
    );
    const seen = observe(text, { records: new Map([[RUN_ID, succeeded({ attempts: 2 })]]) });
    expect(brokenIn(seen).map((one) => one.slice(0, 30))).toEqual([
      'overlap: attempt 2 ran beside ',
      'overlap: attempt 2 ran beside ',
    ]);
    expect(brokenIn({ ...seen, forsaken: new Set([100]) })).toEqual([]);
    // Or etcd took the lease away.
    expect(brokenIn({ ...seen, robbedAtMs: new Map([[100, DUE_MS + 6_000]]) })).toEqual([]);
    expect(brokenIn({ ...seen, robbedAtMs: new Map([[100, DUE_MS + 60_000]]) })).toHaveLength(2);
    expect(brokenIn({ ...seen, robbedAtMs: new Map([[200, DUE_MS]]) })).toHaveLength(2);
  });

  it('see a second start of an abandon job that had not failed', () => {
    const runId = 'once/2026-11-21T00:00:00.000Z';
    const text = evidence(runId, '1 1 5 100 start', '50 2 7 200 start', '60 2 7 200 end 0');
    const records = new Map([
      [RUN_ID, succeeded()],
      [runId, succeeded({ attempts: 2 })],
    ]);
    const good = evidence(RUN_ID, '1 1 7 100 start', '2 1 7 100 end 0');
    expect(brokenIn(observe(`${text}\n${good}`, { records }))).toEqual([
      'duplicate: attempt 2 of an abandon job, though 1 did not end',
    ]);
    const failed = evidence(
      runId,
      '1 1 5 100 start',
      '9 1 5 100 end 2',
      '50 2 7 200 start',
      '60 2 7 200 end 0',
    );
    expect(brokenIn(observe(`${failed}\n${good}`, { records }))).toEqual([]);
  });

  it('see a due time that nothing, or too much, accounts for', () => {
    expect(brokenIn(observe('', { records: new Map() }))).toEqual(['lost: is accounted for 0 times']);
    const range = { from: DUE_MS, through: DUE_MS, count: 1, atLeast: false };
    const missed = (due: string): [string, RunRecord] => [
      `again/${due}`,
      { ...emptyRecord('missed', null, DUE_MS), missed: range },
    ];
    const once = new Map([missed('2026-11-21T14:00:00.000Z')]);
    expect(brokenIn(observe('', { records: once }))).toEqual([]);
    const twice = new Map([missed('2026-11-21T14:00:00.000Z'), missed('2026-11-21T14:00:10.000Z')]);
    expect(brokenIn(observe('', { records: twice }))).toEqual(['lost: is accounted for 2 times']);
  });

  it('see a run of which nothing tells, and one that is stuck', () => {
    const unknown = evidence(OTHER_RUN, '1 1 7 100 start');
    expect(brokenIn(observe(`${GOOD}\n${unknown}`))).toEqual(['lost: ran, and nothing tells of it']);
    expect(brokenIn(observe(`${GOOD}\n${unknown}`, { firings: [OTHER_RUN] }))).toEqual([
      'stuck: had not ended when the run was over',
    ]);
  });

  it.each([
    ['an end that was not', GOOD, succeeded({ outcome: 'failed', exitCode: 1 }), 'says failed with 1'],
    ['a success of nobody', '', succeeded(), 'says succeeded, and its last attempt was never started'],
    ['too few attempts', `${GOOD}\n${evidence(RUN_ID, '950 2 9 100 start')}`, succeeded(), 'says 1 attempts'],
    ['a skip that ran', GOOD, succeeded({ outcome: 'skipped' }), 'says skipped, and it ran'],
    ['a loss without crashes', GOOD, succeeded({ outcome: 'lost' }), 'says lost after 0 crashes'],
    ['a timeout that ended', GOOD, succeeded({ outcome: 'timed_out' }), 'says timed_out'],
    ['a kill', GOOD, succeeded({ outcome: 'killed' }), 'says killed (null), and nobody asked for it'],
  ])('see a record that tells of %s', (_what, text, record, told) => {
    const found = brokenIn(observe(text, { records: new Map([[RUN_ID, record]]) }));
    expect(found).toEqual([expect.stringContaining(`false record: ${told}`)]);
  });
});

describe('the figures of a chaos run', () => {
  it('take the recovery from the SIGKILL to the next start', () => {
    const text = evidence(RUN_ID, '5 1 5 100 start', '700 2 7 200 start', '900 2 7 200 end 0');
    const seen = observe(text, { killedAtMs: new Map([[100, DUE_MS + 300]]) });
    expect(measure(seen, 1)).toMatchObject({
      ...{ dueTimes: 1, attempts: 2, recoveries: 1, repeats: 0, excusedOverlaps: 0 },
      ...{ medianRecoveryMs: 400, worstRecoveryMs: 400, worstLatenessMs: 5, longestSilenceMs: 695 },
    });
  });
});

describe('evidence', () => {
  it('that nobody can have written is an error', () => {
    expect(() => parseEvidence('nonsense')).toThrow('evidence that cannot be read: nonsense');
    expect(() => parseEvidence(evidence(RUN_ID, '1 1 7 100 end 0'))).toThrow('evidence without a start');
  });
});
