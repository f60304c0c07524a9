import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { before, nextAfter, type Occurrence, type Position } from '../../src/plan/order.js';
import { Upcoming } from '../../src/plan/upcoming.js';
import { parseSchedule, type Schedule } from '../../src/schedule/index.js';

const EXPRESSIONS = [
  '* * * * * *',
  '*/2 * * * * *',
  '*/3 * * * * *',
  '@every 5s',
  '@at 1970-01-01T00:00:07Z',
];
const SCHEDULES = EXPRESSIONS.map((expression) => parseSchedule(expression, 'UTC'));

const job = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const due = fc.integer({ min: 0, max: 12 }).map((second) => second * 1_000);
const position = fc.record({ due, job: fc.option(job, { nil: null }) });
const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  fc.record({
    do: fc.constant('enrol' as const),
    job,
    schedule: fc.option(fc.constantFrom(...SCHEDULES), { nil: null }),
  }),
  fc.record({ do: fc.constant('move' as const), position }),
  fc.record({ do: fc.constant('peek' as const) }),
  fc.record({ do: fc.constant('through' as const), ms: due }),
);

/** The same, asked of each job one by one. */
class Plain {
  readonly jobs = new Map<string, Schedule>();
  position: Position = { due: 0, job: null };

  firsts(): Occurrence[] {
    return [...this.jobs]
      .flatMap(([name, schedule]) => {
        const dueMs = nextAfter(this.position, name, schedule);
        return dueMs === null ? [] : [{ dueMs, job: name }];
      })
      .sort((a, b) => (before(a, b) ? -1 : 1));
  }
}

describe('what is due next', () => {
  it('is the same as when each job is asked by itself, whatever is enrolled and wherever it goes on', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const upcoming = new Upcoming();
        const plain = new Plain();
        const moveTo = (to: Position): void => {
          upcoming.moveTo(to);
          plain.position = to;
        };
        for (const one of actions) {
          if (one.do === 'enrol') {
            upcoming.enrol(one.job, one.schedule);
            if (one.schedule) plain.jobs.set(one.job, one.schedule);
            else plain.jobs.delete(one.job);
          } else if (one.do === 'move') moveTo(one.position);
          else if (one.do === 'peek') expect(upcoming.peek()).toEqual(plain.firsts()[0]);
          else if (one.do === 'through') {
            const expected = plain.firsts().filter(({ dueMs }) => dueMs <= one.ms);
            expect(upcoming.firstThrough(one.ms)).toEqual(expected);
          } else {
            for (let taken = 0; taken < one.count; taken += 1) {
              const next = upcoming.peek();
              expect(next).toEqual(plain.firsts()[0]);
              if (next) moveTo({ due: next.dueMs, job: next.job });
            }
          }
          expect(upcoming.size).toBe(plain.jobs.size);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('asks a schedule once for each due time, however many jobs have it', () => {
    let asked = 0;
    const secondly = SCHEDULES[0]!;
    const counting: Schedule = {
      expression: secondly.expression,
      timeZone: 'UTC',
      next: (afterMs) => {
        asked += 1;
        return secondly.next(afterMs);
      },
      previous: (beforeMs) => secondly.previous(beforeMs),
    };
    const upcoming = new Upcoming();
    for (let index = 0; index < 1_000; index += 1) upcoming.enrol(`job-${index}`, counting);
    let taken = 0;
    for (let next = upcoming.peek(); next && next.dueMs <= 5_000; next = upcoming.peek()) {
      upcoming.moveTo({ due: next.dueMs, job: next.job });
      taken += 1;
    }
    expect(taken).toBe(5_000);
    expect(asked).toBe(6);
  });
});
