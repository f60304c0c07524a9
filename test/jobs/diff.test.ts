import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  diffJobs,
  renderDiff,
  serializeDefinition,
  type JobChange,
  type JobDefinition,
} from '../../src/jobs/index.js';

const BACKUP: JobDefinition = { schedule: '@daily', command: 'backup', env: { A: '1', B: '2' } };

function diff(
  desired: Record<string, JobDefinition>,
  current: Record<string, string>,
  prune = false,
): JobChange[] {
  const values = Object.entries(current).map(([name, text]) => [name, { text }] as const);
  return diffJobs(new Map(Object.entries(desired)), new Map(values), prune ? { prune: () => true } : {});
}

describe('serializeDefinition', () => {
  it('puts fields in the order of the schema and names of maps in alphabetical order', () => {
    const definition: JobDefinition = {
      labels: { z: '1', a: '2' },
      misfire: { limit: 5, policy: 'all' },
      command: ['b', 'a'],
      schedule: '@daily',
    };
    expect(serializeDefinition(definition)).toBe(
      '{"schedule":"@daily","command":["b","a"],"misfire":{"policy":"all","limit":5},"labels":{"a":"2","z":"1"}}',
    );
  });
});

describe('diffJobs', () => {
  it.each([
    ['what etcron wrote', serializeDefinition(BACKUP)],
    ['other JSON', '{"env": {"B": 2, "A": "1"}, "command": "backup", "schedule": "@daily"}'],
    ['YAML', 'command: backup\nschedule: "@daily"\nenv:\n  B: 2\n  A: 1\ntimeout:\n'],
  ])('leaves alone what means the same: %s', (_, text) => {
    expect(diff({ backup: BACKUP }, { backup: text })).toMatchObject([{ kind: 'unchanged', fields: [] }]);
  });

  it('takes maps within maps apart', () => {
    const target = { with: { disk: 'ssd', zone: ['a', 'b'] } };
    const before: JobDefinition = { ...BACKUP, target, secrets: { TOKEN: { env: 'X' } } };
    const after: JobDefinition = {
      ...BACKUP,
      target: { with: { disk: 'hdd', zone: ['a', 'b'] }, without: { spot: '*' } },
      secrets: { TOKEN: { file: '/x' } },
    };
    const [change] = diff({ backup: after }, { backup: serializeDefinition(before) });
    expect(change!.fields).toEqual([
      { path: 'target.with.disk', before: 'ssd', after: 'hdd' },
      { path: 'target.without.spot', before: undefined, after: '*' },
      { path: 'secrets.TOKEN.file', before: undefined, after: '/x' },
      { path: 'secrets.TOKEN.env', before: 'X', after: undefined },
    ]);
  });

  it('lists the fields that differ', () => {
    const desired: JobDefinition = {
      schedule: '@hourly',
      command: 'backup',
      env: { A: '1', C: '3' },
      retries: { attempts: 3 },
    };
    const [change] = diff({ backup: desired }, { backup: serializeDefinition(BACKUP) });
    expect(change).toMatchObject({
      kind: 'update',
      name: 'backup',
      before: BACKUP,
      after: desired,
      currentProblems: [],
    });
    expect(change?.fields).toEqual([
      { path: 'schedule', before: '@daily', after: '@hourly' },
      { path: 'env.C', before: undefined, after: '3' },
      { path: 'retries.attempts', before: undefined, after: 3 },
      { path: 'env.B', before: '2', after: undefined },
    ]);
  });

  it('creates, and deletes only when told to', () => {
    const current = { old: serializeDefinition(BACKUP), broken: '{' };
    expect(diff({ backup: BACKUP }, current).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'create backup',
    ]);
    expect(diff({ backup: BACKUP }, current, true).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'create backup',
      'delete broken',
      'delete old',
    ]);
  });

  it('repairs a broken value', () => {
    const [change] = diff({ backup: BACKUP }, { backup: 'schedule: @daily' });
    expect(change).toMatchObject({ kind: 'update', before: null, after: BACKUP });
    expect(change?.currentProblems).not.toEqual([]);
  });

  it('leaves a pause in place unless the definition speaks of it', () => {
    const current = { backup: serializeDefinition({ ...BACKUP, paused: true }) };
    expect(diff({ backup: BACKUP }, current)).toMatchObject([{ kind: 'unchanged', staysPaused: true }]);
    expect(diff({ backup: { ...BACKUP, command: 'x' } }, current)).toMatchObject([
      { kind: 'update', staysPaused: true, after: { command: 'x', paused: true } },
    ]);
    expect(diff({ backup: { ...BACKUP, paused: false } }, current)).toMatchObject([
      { kind: 'update', staysPaused: false, fields: [{ path: 'paused', before: true, after: false }] },
    ]);
  });

  it('finds nothing to do after its own result was written', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 8 })
      .map((part) => `x${part.replaceAll('\0', '')}`);
    const definition: fc.Arbitrary<JobDefinition> = fc.record(
      {
        schedule: fc.constantFrom('@daily', '@hourly'),
        command: fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })),
        env: fc.dictionary(fc.constantFrom('A', 'B', 'constructor'), text, { noNullPrototype: true }),
        paused: fc.boolean(),
        overlap: fc.constantFrom('allow', 'skip'),
      },
      { requiredKeys: ['schedule', 'command'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(definition, definition, (desired, before) => {
        const [change] = diff({ job: desired }, { job: serializeDefinition(before) });
        const written = serializeDefinition(change!.after!);
        expect(diff({ job: desired }, { job: written })).toMatchObject([{ kind: 'unchanged', fields: [] }]);
        expect(change!.kind === 'unchanged').toBe(change!.fields.length === 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('renderDiff', () => {
  const changes = diff(
    {
      created: { schedule: '@daily', command: ['a', 'b'] },
      same: BACKUP,
      script: { schedule: '@daily', command: 'one\ntwo\nthree\n' },
      'still-paused': { schedule: '@hourly', command: 'x\u001b[31m' },
    },
    {
      same: serializeDefinition(BACKUP),
      script: '{"schedule": "@daily", "command": "one\\n2\\nthree\\n", "cwd": "/srv"}',
      'still-paused': '{"schedule": "@daily", "command": "x", "paused": true}',
      gone: serializeDefinition(BACKUP),
    },
    true,
  );

  it('is a text that a person reads, without control sequences of others', () => {
    expect(renderDiff(changes, { color: false }).split('\n')).toEqual([
      '+ created',
      '    + schedule: "@daily"',
      '    + command: ["a","b"]',
      '- gone',
      '~ script',
      '    ~ command:',
      '        - 2',
      '        + two',
      '    - cwd: "/srv"',
      '~ still-paused (stays paused)',
      '    ~ schedule: "@daily" → "@hourly"',
      '    ~ command: "x" → "x\\u001b[31m"',
      '1 to create, 2 to update, 1 unchanged, 1 to delete',
    ]);
  });

  it('is coloured on request', () => {
    expect(renderDiff(changes, { color: true })).toContain('\u001b[32m+ created\u001b[39m');
  });

  it('says that a value was broken', () => {
    const lines = renderDiff(diff({ backup: BACKUP }, { backup: 'date' }), { color: false }).split('\n');
    expect(lines.slice(0, 2)).toEqual([
      '~ backup',
      '    the value in etcd is broken: 1:1: must be a map of fields, not "date"',
    ]);
  });
});
