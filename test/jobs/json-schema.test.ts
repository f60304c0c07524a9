import Ajv from 'ajv';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { FIELD_NAMES, parseJobsFile } from '../../src/jobs/index.js';
import { jobsFileJsonSchema, meaningsOf } from '../../src/jobs/json-schema.js';

const root = new URL('../../', import.meta.url);
const reference = readFileSync(new URL('docs/job-reference.md', root), 'utf8');
const meanings = meaningsOf(reference);
const schema = jobsFileJsonSchema(meanings);
const validate = new Ajv({ allErrors: true }).compile(schema);

/** What is wrong with a file by the JSON Schema: paths with keywords. */
function problems(text: string): string[] {
  return parseAllDocuments(text).flatMap((document) =>
    validate(document.toJS())
      ? []
      : validate.errors!.map(({ dataPath, keyword }) => `${dataPath} ${keyword}`),
  );
}

function asFile(block: string): string {
  return /^(jobs|defaults):/m.test(block) ? block : `jobs:\n  x:\n${block.replace(/^/gm, '    ')}`;
}

function job(fields: string): string {
  return `jobs: { x: { schedule: '@daily', command: x, ${fields} } }`;
}

const blocks = [...reference.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!);

describe('the JSON Schema', () => {
  test.each(blocks.map((block) => [block]))('accepts the example:\n%s', (block) => {
    expect(problems(asFile(block))).toEqual([]);
  });

  test('accepts jobs.example.yaml', () => {
    expect(problems(readFileSync(new URL('jobs.example.yaml', root), 'utf8'))).toEqual([]);
  });

  const GOOD = [
    'jobs: {}',
    'defaults:\njobs: {}',
    'defaults: { schedule: "@daily", command: x }\njobs: { a: , b: {} }',
    'defaults: { command: x }\njobs: { a: { schedule: "@daily" } }',
    job('timeout: , retries: { delay: , attempts: 3 }, env: { A: 1, B: true, C: 1.10 }'),
    job('timeout: 1h30m, retries: { delay: " 250ms ", maxDelay: 2w1d }'),
    job('misfire: all, labels: { a/b.c: 1 }, description: 5'),
    job('misfire: { policy: once, limit: 3 }'),
    `jobs: { '5': { schedule: '@daily', command: [1, true, x] } }`,
  ];

  test.each(GOOD)('accepts what etcron accepts: %s', (text) => {
    expect(parseJobsFile(text, 'x').problems).toEqual([]);
    expect(problems(text)).toEqual([]);
  });

  const BAD: [string, string][] = [
    [job('timeout: 90'), '.jobs'],
    [job('timeout: 90x'), '.jobs'],
    [job('timeout: ""'), '.jobs'],
    [job('timeout: 1m1h'), '.jobs'],
    [job('comand: x'), '.jobs'],
    [job('retries: { atempts: 3 }'), '.jobs'],
    [job('retries: { attempts: 0 }'), '.jobs'],
    [job('retries: 3'), '.jobs'],
    [job('overlap: maybe'), '.jobs'],
    [job('misfire: never'), '.jobs'],
    [job('misfire: { polcy: all }'), '.jobs'],
    [job('paused: yes'), '.jobs'],
    [job('env: { 1A: x }'), '.jobs'],
    [job('env: { ETCRON_X: x }'), '.jobs'],
    [job('env: [A]'), '.jobs'],
    [job('labels: { -a: x }'), '.jobs'],
    ['jobs: { x: { schedule: "@daily" } }', '.jobs'],
    ['jobs: { x: { command: x } }', '.jobs'],
    ['jobs: { x: { schedule: , command: x } }', '.jobs'],
    ['jobs: { x: }', '.jobs'],
    ['jobs: { "a b": { schedule: "@daily", command: x } }', '.jobs'],
    ['jobs: [x]', '.jobs'],
    ['job: {}', ''],
    ['defaults: { comand: x }\njobs: {}', '.defaults'],
  ];

  test.each(BAD)('rejects what etcron rejects: %s', (text, place) => {
    expect(parseJobsFile(text, 'x').problems).not.toEqual([]);
    const found = problems(text);
    expect(found).not.toEqual([]);
    expect(found.some((problem) => problem.startsWith(place))).toBe(true);
  });

  test('rejects the mistakes that the reference documents', () => {
    const text = 'jobs:\n  report:\n    schedule: "@daily"\n    command: x\n    timeout: 90\n    comand: x\n';
    expect(problems(text)).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`timeout type`),
        expect.stringContaining('additionalProperties'),
      ]),
    );
  });

  test('says of each field what the reference says', () => {
    expect(meanings.get('timeout')).toBe(
      'An attempt that takes longer is ended, and counts as `timed_out`. Default: none.',
    );
    expect([...meanings.values()].join()).not.toContain('](#');
    const [field] = FIELD_NAMES[''];
    const missing = new Map([...meanings].filter(([name]) => name !== field));
    expect(() => jobsFileJsonSchema(missing)).toThrow('the field schedule has no meaning');
  });
});
