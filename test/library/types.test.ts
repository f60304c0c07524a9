/** What the types let through, and what they refuse: judged by the compiler (`npm run typecheck`). */
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  createNode,
  defineHandler,
  defineJob,
  type DefinedJob,
  type EtcronNode,
  type HandlerRun,
  type NodeEvents,
  type RunEndedEvent,
} from '../../src/index.js';

const schema = z.object({ region: z.string(), since: z.coerce.date(), limit: z.number().default(10) });

/** Never called: its lines are for the compiler. */
const compiled = (_: () => unknown): void => undefined;

describe('defineJob', () => {
  test('infers the payload from the schema', () => {
    const job = defineJob({
      name: 'report',
      schedule: '@daily',
      payload: schema,
      data: { region: 'north', since: '2026-01-01' },
      handler: async (run) => {
        expectTypeOf(run.payload).toEqualTypeOf<{ region: string; since: Date; limit: number }>();
        expectTypeOf(run.signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(run.due).toEqualTypeOf<Date>();
        expectTypeOf(run.previousDue).toEqualTypeOf<Date | null>();
        expectTypeOf(run.fencingToken).toEqualTypeOf<bigint>();
        expectTypeOf(run.attempt).toEqualTypeOf<number>();
      },
    });
    expectTypeOf(job).toEqualTypeOf<DefinedJob>();
  });

  test('gives an unknown payload without a schema', () => {
    defineJob({ name: 'j', schedule: '@daily', handler: (run) => expectTypeOf(run.payload).toBeUnknown() });
  });

  test('asks for data of the type that the schema takes', () => {
    compiled(() =>
      // @ts-expect-error -- data is missing
      defineJob({ name: 'j', schedule: '@daily', payload: schema, handler: () => 1 }),
    );
    compiled(() =>
      defineJob({
        name: 'j',
        schedule: '@daily',
        payload: schema,
        // @ts-expect-error -- region is a text
        data: { region: 7, since: '2026-01-01' },
        handler: () => 1,
      }),
    );
    compiled(() =>
      defineJob({ name: 'j', schedule: '@daily', payload: z.string().optional(), handler: () => 1 }),
    );
  });

  test('refuses fields that are none, or go with commands', () => {
    // @ts-expect-error -- no such field
    compiled(() => defineJob({ name: 'j', schedule: '@daily', scedule: 'x', handler: () => 1 }));
    // @ts-expect-error -- a job has one task
    compiled(() => defineJob({ name: 'j', schedule: '@daily', command: 'x', handler: () => 1 }));
    // @ts-expect-error -- a handler has the program's own environment
    compiled(() => defineJob({ name: 'j', schedule: '@daily', env: { A: 'b' }, handler: () => 1 }));
    // @ts-expect-error -- a schedule is required
    compiled(() => defineJob({ name: 'j', handler: () => 1 }));
    // @ts-expect-error -- one of four words
    compiled(() => defineJob({ name: 'j', schedule: '@daily', overlap: 'never', handler: () => 1 }));
  });
});

test('a handler of its own is typed the same way', () => {
  defineHandler({
    payload: z.object({ id: z.number() }),
    handler: (run) => expectTypeOf(run).toEqualTypeOf<HandlerRun<{ id: number }>>(),
  });
});

describe('createNode', () => {
  test('gives each listener the event of its name', () => {
    compiled(() => {
      const node = createNode();
      expectTypeOf(node).toEqualTypeOf<EtcronNode>();
      node.on('runEnded', (event) => {
        expectTypeOf(event).toEqualTypeOf<RunEndedEvent>();
        expectTypeOf(event.next).toEqualTypeOf<'recorded' | 'retry' | 'handed-over'>();
      });
      node.once('lost', (event) => expectTypeOf(event).toEqualTypeOf<{ readonly nodeId: string }>());
      // @ts-expect-error -- no such event
      node.on('runFinished', () => 1);
      // @ts-expect-error -- no such field of the event
      node.on('leader', ({ reason }) => reason);
      expectTypeOf<keyof NodeEvents>().toEqualTypeOf<
        'ready' | 'lost' | 'leader' | 'deposed' | 'runStarted' | 'runProgress' | 'runEnded' | 'runIgnoredEnd'
      >();
      expectTypeOf(node.run('j')).resolves.toBeString();
    });
  });

  test('refuses options that are none, and jobs that are no jobs', () => {
    // @ts-expect-error -- no such option
    compiled(() => createNode({ capcity: 3 }));
    // @ts-expect-error -- a duration is a text
    compiled(() => createNode({ leaseTtl: 10_000 }));
    // @ts-expect-error -- a job has a name
    compiled(() => createNode({ jobs: [{ schedule: '@daily', command: 'true' }] }));
    compiled(() => createNode({ jobs: [{ name: 'k', schedule: '@daily', command: ['ls', '-l'] }] }));
  });
});
