import { describe, expect, it } from 'vitest';
import type { WorkerRecord } from '../../src/election/worker-record.js';
import { resolveJob, type JobDefinition } from '../../src/jobs/index.js';
import { fittingWorkers, unfitness, whyNobody } from '../../src/view/eligibility.js';

function job(definition: Partial<JobDefinition>) {
  return resolveJob('job', { schedule: '@daily', command: 'x', ...definition });
}

function worker(name: string, record: Partial<WorkerRecord> = {}): WorkerRecord {
  return {
    ...{ name, host: 'h', pid: 1, version: '0', state: 'active', capacity: 4 },
    ...{ labels: {}, handlers: [], startedAt: 0, clock: null, skewed: false, api: null, ...record },
  };
}

describe('unfitness', () => {
  it.each<[Partial<JobDefinition>, Partial<WorkerRecord>, string | null]>([
    [{}, {}, null],
    [{ target: { with: { disk: 'ssd' } } }, { labels: { disk: 'ssd' } }, null],
    [{ target: { with: { disk: 'ssd' } } }, { labels: { disk: 'hdd' } }, 'has no label disk=ssd'],
    [{ target: { with: { disk: ['ssd', 'nvme'] } } }, {}, 'has no label disk=ssd|nvme'],
    [{ target: { with: { disk: '*' } } }, {}, 'has no label disk'],
    [{ target: { with: { disk: '*' } } }, { labels: { disk: '' } }, null],
    [{ target: { with: { toString: '*' } } }, {}, 'has no label toString'],
    [{ target: { without: { spot: '*' } } }, { labels: { spot: 'no' } }, 'has the label spot=no'],
    [{ target: { without: { spot: 'yes' } } }, { labels: { spot: 'no' } }, null],
    [{ weight: 5 }, {}, 'has a capacity of 4, below the weight of 5'],
    [{ weight: 4 }, {}, null],
  ])('of %j and %j is %s', (definition, record, expected) => {
    expect(unfitness(job(definition), worker('w', record))).toBe(expected);
  });
});

describe('whyNobody', () => {
  const gpu = job({ target: { with: { gpu: '*' } } });

  it('is null when one fits', () => {
    expect(whyNobody(gpu, null, [worker('a'), worker('b', { labels: { gpu: 'a100' } })])).toBeNull();
  });

  it('counts what is missing', () => {
    const workers = [worker('a'), worker('b'), worker('c', { labels: { gpu: 'x', spot: 'y' } })];
    const picky = job({ target: { with: { gpu: '*' }, without: { spot: '*' } } });
    expect(whyNobody(gpu, null, [worker('a'), worker('b')])).toBe('2 workers each have no label gpu');
    expect(whyNobody(picky, null, workers)).toBe(
      '2 workers each have no label gpu, a worker has the label spot=y',
    );
  });

  it('counts on active workers only', () => {
    const fit = { labels: { gpu: 'x' } };
    expect(whyNobody(gpu, null, [worker('a', { ...fit, state: 'draining' })])).toBe(
      'there is no active worker',
    );
    expect(whyNobody(gpu, null, [worker('a', { ...fit, skewed: true }), worker('b')])).toBe(
      'a worker has no label gpu',
    );
  });

  it('looks for the one worker that a firing is for', () => {
    const only = { worker: 'b', index: 1, count: 2 };
    expect(whyNobody(job({}), { only }, [worker('a'), worker('b')])).toBeNull();
    expect(whyNobody(job({}), { only }, [worker('a')])).toBe('its worker b is not there');
    expect(whyNobody(gpu, { only }, [worker('a'), worker('b')])).toBe('its worker b has no label gpu');
  });
});

describe('fittingWorkers', () => {
  it('are each named once, in order', () => {
    const workers = [worker('b'), worker('a'), worker('b'), worker('c', { skewed: true })];
    expect(fittingWorkers(job({}), workers)).toEqual(['a', 'b']);
  });
});
