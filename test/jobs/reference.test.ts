import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  FIELD_NAMES,
  formatProblem,
  JOB_DEFAULTS,
  parseJobsFile,
  parseJobValue,
} from '../../src/jobs/index.js';

const root = new URL('../../', import.meta.url);
const reference = readFileSync(new URL('docs/job-reference.md', root), 'utf8');
const blocks = [...reference.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!);
const rows = new Map(
  [...reference.matchAll(/^\| `([\w.]+)` *\| .*? +\| (.*?) +\| .*? *\|$/gm)].map((match) => [
    match[1]!,
    match[2]!,
  ]),
);

describe('docs/job-reference.md', () => {
  it('has examples', () => {
    expect(blocks.length).toBeGreaterThan(8);
  });

  it.each(blocks.map((block) => [block]))('has a good example:\n%s', (block) => {
    const isFile = /^(jobs|defaults):/m.test(block);
    const parsed = isFile ? parseJobsFile(block, 'example') : parseJobValue('example', block);
    const problems = 'problems' in parsed ? parsed.problems : [];
    expect(problems.map((problem) => formatProblem(problem))).toEqual([]);
  });

  it('lists every field, in the order of the schema, and no other', () => {
    const fields = FIELD_NAMES[''].flatMap((name) => [
      name,
      ...(name === '' || !(name in FIELD_NAMES) ? [] : FIELD_NAMES[name as 'retries']).map(
        (inner) => `${name}.${inner}`,
      ),
    ]);
    expect([...rows.keys()]).toEqual(fields);
  });

  it('gives the defaults that hold', () => {
    for (const [field, value] of Object.entries(JOB_DEFAULTS)) {
      if (typeof value !== 'object') expect(rows.get(field)).toBe(`\`${value}\``);
      else {
        for (const [name, part] of Object.entries(value)) {
          expect(rows.get(`${field}.${name}`)).toBe(`\`${part}\``);
        }
      }
    }
  });

  it('shows messages as they are', () => {
    const text =
      'jobs:\n  report:\n\n    schedule: */5 * * * *\n    command: x\n    timeout:   90\n    comand: x\n';
    const shown = /^```\n(jobs\.yaml:.*?)^```$/ms.exec(reference)![1]!.trimEnd().split('\n');
    expect(parseJobsFile(text, 'jobs.yaml').problems.map((problem) => formatProblem(problem))).toEqual(shown);
  });
});

describe('jobs.example.yaml', () => {
  it('is good, and varied', () => {
    const { jobs, problems } = parseJobsFile(
      readFileSync(new URL('jobs.example.yaml', root)),
      'jobs.example.yaml',
    );
    expect(problems.map((problem) => formatProblem(problem))).toEqual([]);
    expect(jobs.size).toBeGreaterThanOrEqual(8);
    expect([...jobs.values()].every(({ definition }) => definition.description !== undefined)).toBe(true);
  });
});
