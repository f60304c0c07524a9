import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { formatProblem, parseJobsFile, parseJobValue, serializeDefinition } from '../../src/jobs/index.js';
import { ALIAS_BOMB } from '../support/hostile-values.js';

const JOB = 'schedule: "@daily"\ncommand: x\n';

/** Parses as a value and as a file; returns the first problem of the value, which must be one line of plain text. */
function firstProblem(text: string | Uint8Array): string {
  const parsed = parseJobValue('a', text);
  const file = parseJobsFile(text, 'jobs.yaml');
  const problems = [...(parsed.ok ? [] : parsed.problems), ...file.problems];
  for (const problem of problems) expect(formatProblem(problem)).toMatch(/^\P{Cc}{1,2000}$/u);
  for (const problem of problems) expect(problem.message).not.toMatch(/undefined|\[object|TypeError/);
  return parsed.ok ? '' : formatProblem(parsed.problems[0]!);
}

describe('hostile definitions', () => {
  it.each([
    ['too long', 'x'.repeat(65_537), '1:1: is too long: it has 65537 bytes, at most 65536 are allowed'],
    ['too long in bytes only', JOB + '#' + 'é'.repeat(32_768), /^1:1: is too long/],
    ['lists in lists', '['.repeat(60_000), '1:35: is nested more than 32 levels deep'],
    ['closed lists in lists', '['.repeat(30_000) + ']'.repeat(30_000), /nested more than 32 levels/],
    ['maps in maps', '{"a":'.repeat(12_000), /nested more than 32 levels/],
    ['block lists in lists', '- '.repeat(30_000), /nested more than 32 levels/],
    ['keys of keys', '? '.repeat(30_000), /nested more than 32 levels/],
    ['deep inside env', `${JOB}env: ${'['.repeat(60_000)}`, /nested more than 32 levels/],
    [
      'too many tokens',
      `${JOB}env: {${'a,'.repeat(30_000)}}`,
      /is too long: it has more than 20000 YAML tokens/,
    ],
    ['too many documents', '---\n'.repeat(16_000), /YAML/],
    ['an alias bomb', `${JOB}${ALIAS_BOMB}`, /a0: is not a field of a job/],
    [
      'an alias bomb in env',
      `${JOB}env:\n${ALIAS_BOMB.replaceAll(/^/gm, '  ')}`,
      /env\.a1: must be a string, not a list/,
    ],
    [
      'many aliases',
      `${JOB}labels: {a: &a x, ${Array.from({ length: 1_500 }, (_, i) => `b${i}: *a`).join(', ')}}`,
      /labels: has 1501 entries/,
    ],
    [
      'many variables',
      `${JOB}env: {${Array.from({ length: 257 }, (_, i) => `A${i}: x`).join(', ')}}`,
      /env: has 257 entries, at most 256/,
    ],
    ['NUL bytes', '\0\0\0', /must be a map of fields/],
    ['a lone surrogate', '"\ud800": 1', /is required|is not a field/],
    ['terminal sequences', '"\\e]0;x\\a": 1', /is required/],
    ['a number as a name', `${JOB}1: 2`, /1: is not a field of a job/],
    ['a list as a name', '{[1, 2]: 3}', /is not YAML: with stringKeys, all keys must be strings|must be/],
    ['a set', '? a\n? b', /is required/],
    [
      'a map that looks like an object with methods',
      `${JOB}timeout: {toString: x, valueOf: y}\npaused: {toString: 1, valueOf: 2}`,
      /timeout: must be a duration, not a map/,
    ],
  ])('%s', (_, text, expected) => {
    const problem = firstProblem(text);
    if (typeof expected === 'string') expect(problem).toBe(expected);
    else expect(problem).toMatch(expected);
  });

  it('is judged by what it would be as JSON, too', () => {
    const text = `schedule: "@daily"\ncommand: "${'\u0001'.repeat(20_000)}"`;
    expect(firstProblem(text)).toMatch(/has 1200\d\d bytes as JSON, at most 65536 are allowed/);
  });

  it('reports no more problems than a person will read', () => {
    const text = JOB + Array.from({ length: 1_000 }, (_, i) => `z${i}: 1`).join('\n');
    const parsed = parseJobValue('a', text);
    expect(parsed.ok ? [] : parsed.problems).toHaveLength(51);
    expect(parsed.ok ? '' : parsed.problems[50]!.message).toBe('and 950 more problems');
  });
});

const name = fc.oneof(
  fc.constantFrom(
    'schedule',
    'command',
    'env',
    'retries',
    'misfire',
    'jobs',
    'defaults',
    '__proto__',
    'constructor',
  ),
  fc.constantFrom('toString', 'hasOwnProperty', 'history', 'labels', 'timezone', 'delay', 'policy', '<<', ''),
  fc.string(),
);
const scalar = fc.oneof(
  fc.constantFrom<unknown>('@daily', '* * * * *', 'UTC', '5s', 'once', true, null, 1, -0, Number.MAX_VALUE),
  fc.jsonValue({ maxDepth: 1 }),
);
const tree = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
})).value;

/** A definition in which everything is said, as JSON and as YAML. */
const FULL = {
  ...{
    schedule: '*/5 * * * *',
    timezone: 'Europe/Berlin',
    command: ['echo', 'x'],
    env: { A: 'b' },
    cwd: '/srv',
  },
  ...{
    timeout: '1h',
    retries: { attempts: 3, delay: '5s' },
    overlap: 'skip',
    recovery: 'rerun',
    paused: false,
  },
  ...{ misfire: { policy: 'once', limit: 3 }, labels: { a: 'b' }, history: { limit: 3 }, description: 'd' },
};

describe('a definition that was damaged', () => {
  const field = fc.constantFrom(...Object.keys(FULL));

  it('in a field is refused with a reason, or reads back as what was made of it', () => {
    let good = 0;
    fc.assert(
      fc.property(field, tree, fc.boolean(), (key, value, asYaml) => {
        const damaged = { ...FULL, [key]: value };
        const text = asYaml ? stringify(damaged) : JSON.stringify(damaged);
        firstProblem(text);
        const parsed = parseJobValue('a', text);
        if (!parsed.ok) return;
        good += 1;
        expect(parseJobValue('a', serializeDefinition(parsed.definition))).toEqual(parsed);
      }),
      { numRuns: 300 },
    );
    expect(good).toBeGreaterThan(0);
  });

  it('in some bytes never throws', () => {
    const bytes = [JSON.stringify(FULL), stringify(FULL)].map((text) => Buffer.from(text));
    const hits = fc.array(fc.tuple(fc.nat(2_000), fc.nat(255), fc.nat(20)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...bytes), hits, (whole, changes) => {
        let damaged = Buffer.from(whole);
        for (const [at, byte, cut] of changes) {
          const from = at % damaged.length;
          damaged = Buffer.concat([
            damaged.subarray(0, from),
            Buffer.from([byte]),
            damaged.subarray(from + cut),
          ]);
        }
        firstProblem(damaged);
      }),
      { numRuns: 500 },
    );
  });
});

describe('anything at all', () => {
  it('never throws on a JSON value', () => {
    fc.assert(
      fc.property(tree, (value) => void firstProblem(JSON.stringify(value))),
      { numRuns: 400 },
    );
  });

  it('never throws on a string', () => {
    const yamlish = fc.string({
      unit: fc.constantFrom(
        ...'[]{}:,-?*&!|>%@`"\'#~ \n\t\r',
        'a',
        '1',
        'schedule',
        'command',
        '\ud800',
        '\u0000',
        ': ',
        '- ',
      ),
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.oneof(yamlish, fc.string({ unit: 'binary' })), (text) => void firstProblem(text)),
      {
        numRuns: 1_000,
      },
    );
  });

  it('never throws on bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void firstProblem(bytes)),
      { numRuns: 500 },
    );
  });

  it('reads back what it writes', () => {
    const definition = fc.record(
      {
        schedule: fc.constantFrom('@daily', '*/5 * * * *', '@every 90s'),
        command: fc.oneof(
          fc.string({ unit: 'binary', minLength: 1 }).map((text) => `x${text.replaceAll('\0', '')}`),
          fc
            .array(
              fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
              { minLength: 1 },
            )
            .map((parts) => ['x', ...parts]),
        ),
        env: fc.dictionary(
          fc.stringMatching(/^[A-Z_a-z][a-z0-9_]{0,8}$/).filter((key) => key !== '__proto__'),
          fc.constantFrom('', '1.10', 'yes', 'a: b', ' x\n'),
          { noNullPrototype: true },
        ),
        timeout: fc.constantFrom('90s', '1h30m'),
        retries: fc.record(
          { maxDelay: fc.constant('5m'), attempts: fc.integer({ min: 1, max: 100 }) },
          { requiredKeys: [], noNullPrototype: true },
        ),
        misfire: fc.oneof(
          fc.constantFrom('once', 'all'),
          fc.record(
            { limit: fc.nat(99).map((n) => n + 1), policy: fc.constant('skip') },
            { requiredKeys: [], noNullPrototype: true },
          ),
        ),
        paused: fc.boolean(),
      },
      { requiredKeys: ['schedule', 'command'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(definition, (value) => {
        const first = parseJobValue('a', JSON.stringify(value, null, 1));
        if (!first.ok) throw new Error(first.problems.map((problem) => formatProblem(problem)).join('\n'));
        expect(first.definition).toEqual(value);
        const text = serializeDefinition(first.definition);
        const second = parseJobValue('a', text);
        expect(second).toEqual(first);
        expect(second.ok && serializeDefinition(second.definition)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});
