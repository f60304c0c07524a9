import { describe, expect, it } from 'vitest';
import { formatProblem, parseJobValue } from '../../src/jobs/index.js';

function problems(fields: string): string[] {
  const parsed = parseJobValue('x', `{ schedule: '@daily', ${fields} }`);
  return parsed.ok
    ? []
    : parsed.problems.map((problem) => formatProblem(problem).replace(/^.*?\d+:\d+ /, ''));
}

describe('fields that do not go together', () => {
  it.each([
    [
      'command: x, http: "http://h/"',
      'http: does not go with "command" (a job has one of command, http, handler)',
    ],
    ['http: "http://h/", cwd: /', 'cwd: goes with "command", not with "http"'],
    ['http: "http://h/", env: { A: b }', 'env: goes with "command", not with "http"'],
    ['command: x, payload: 1', 'payload: goes with "handler", not with "command"'],
    [
      'handler: h, secrets: { A: { env: B } }',
      'secrets: does not go with "handler" (a handler reads its secrets itself)',
    ],
    [
      'command: x, overlap: allow, maxConcurrent: 2',
      /^maxConcurrent: does not go with "overlap: allow", which knows no bound \(/,
    ],
    ['command: x, overlap: { policy: replace, limit: 2 }', 'overlap.limit: goes with "policy: queue" only'],
    ['handler: h, retries: { exitCodes: [1] }', 'retries.exitCodes: goes with "command" only'],
    ['command: x, everywhere: true, maxRuns: 2', /^maxRuns: does not go with "everywhere" \(/],
    ['command: x, secrets: { A: { env: B, file: /c } }', /^secrets.A: must have either "env" .* or "file"/],
    [
      'command: x, secrets: { A: { env: ETCRON_PASSWORD } }',
      /^secrets.A.env: must not be one of the settings/,
    ],
  ])('%s', (fields, expected) => {
    const found = problems(fields);
    expect(found).toHaveLength(1);
    if (typeof expected === 'string') expect(found[0]).toBe(expected);
    else expect(found[0]).toMatch(expected);
  });

  it.each([
    'command: x, overlap: { policy: queue, limit: 2 }, maxConcurrent: 2',
    'http: { url: "https://h/{{ due }}", expectStatus: [2xx, 404] }, secrets: { A: { file: /run/a } }',
    'handler: h, payload: { a: [1, null] }, retries: { attempts: 2 }',
    'command: [x], user: 0, group: www-data, umask: 0027, nice: -5, stdin: "", successExitCodes: [0, 24]',
    'command: x, everywhere: true, target: { with: { a: 1, b: [x, y] }, without: { c: "*" } }, weight: 3',
  ])('%s is good', (fields) => {
    expect(problems(fields)).toEqual([]);
  });
});
