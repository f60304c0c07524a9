import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem, parseJobValue, parseTemplate } from '../../src/jobs/index.js';
import { escapeTemplate } from '../../src/jobs/template.js';

const text = (parsed: ReturnType<typeof parseTemplate>): string =>
  parsed.ok
    ? parsed.parts.map((part) => (part.kind === 'text' ? part.text : `<${part.name}>`)).join('')
    : 'bad';

const problems = (job: object): string[] => {
  const parsed = parseJobValue('x', JSON.stringify({ schedule: '@daily', ...job }));
  return parsed.ok ? [] : parsed.problems.map((problem) => formatProblem({ ...problem, line: undefined! }));
};

describe('a template', () => {
  it.each([
    ['backup-{{ due | yyyy-MM-dd }}.sql', 'backup-<due>.sql'],
    ['{{due}}{{ previousDue|HH }} {{ job }} {{ attempt }}', '<due><previousDue> <job> <attempt>'],
    ['{{ runId }}#{{ fencingToken }}', '<runId>#<fencingToken>'],
    ["docker ps --format {{ '{{' }}.Names}}", 'docker ps --format {{.Names}}'],
    ["{{ '}} {{' }}", '}} {{'],
    ["{{ due | 'at }}'HH }}!", '<due>!'],
    ['${HOME} $(date) { { due } } }}', '${HOME} $(date) { { due } } }}'],
    ['', ''],
  ])('is read: %s', (written, read) => {
    expect(text(parseTemplate(written, null))).toBe(read);
  });

  it('knows the secrets of the job where they may stand', () => {
    expect(text(parseTemplate('Bearer {{ secrets.TOKEN }}', ['TOKEN']))).toBe('Bearer <TOKEN>');
  });

  it('leaves any text as it is once it is escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', "'", ' ', 'due', '|', 'x') }), (any) => {
        const parsed = parseTemplate(escapeTemplate(any), null);
        expect(text(parsed)).toBe(any);
      }),
    );
  });

  it('is read or refused, whatever it is', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      "'",
      '|',
      ' ',
      'due',
      'previousDue',
      'secrets.',
      'A',
      'yyyy',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
        const written = pieces.join('');
        const parsed = parseTemplate(written, ['A']);
        if (parsed.ok) {
          const plain = parsed.parts.every(({ kind }) => kind === 'text');
          if (plain && !written.includes('{{')) expect(text(parsed)).toBe(written);
        } else {
          expect(parsed.problems.length).toBeGreaterThan(0);
          for (const { message, hint } of parsed.problems) expect([message, hint]).not.toContain('');
        }
      }),
      { numRuns: 500 },
    );
  });
});

it('in YAML needs quotes at the beginning of a value', () => {
  const parsed = parseJobValue('x', "schedule: '@daily'\ncommand: cat\nstdin: {{ due }}\n");
  expect(parsed.ok ? [] : parsed.problems.map(({ hint }) => hint)).toEqual([
    'put a value that begins with "{{" in quotes',
  ]);
});

describe('a definition with a bad template is refused', () => {
  it.each([
    [
      { command: 'x {{ du }}' },
      'command: has a template that is not known: "{{ du }}" (did you mean "{{ due }}"?)',
    ],
    [
      { command: "docker ps --format '{{.Names}}'" },
      `command: has a template that is not known: "{{ .Names }}" (there are due, previousDue, job, attempt, runId, fencingToken; for two braces as they are, write {{ '{{' }})`,
    ],
    [
      { command: ['x', '{{ due'] },
      `command[1]: has a "{{" without its "}}" (for two braces as they are, write {{ '{{' }})`,
    ],
    [
      { command: 'x', env: { A: '{{ due | YYYY-MM-dd }}' } },
      'env.A: has a bad time format "YYYY-MM-dd": "YYYY" is not known (did you mean "yyyy"?)',
    ],
    [
      { command: 'x', stdin: '{{ job | HH }}' },
      'stdin: must not format "job" (only due and previousDue can be formatted)',
    ],
    [
      { command: 'x {{ secrets.TOKEN }}', secrets: { TOKEN: { env: 'X' } } },
      'command: must not hold a secret (a command finds its secrets in its environment: "$TOKEN")',
    ],
    [
      { http: { url: 'http://x/{{ secrets.TOKN }}' }, secrets: { TOKEN: { env: 'X' } } },
      'http.url: asks for a secret that the job does not have: "TOKN" (did you mean "secrets.TOKEN"?)',
    ],
    [{ http: 'http://[{{ due }}' }, 'http: is not a URL: "http://[{{ due }}"'],
    [
      { http: { url: 'http://x', headers: { 'X-A': '{{ secrets.A }}' } } },
      'http.headers.X-A: asks for a secret that the job does not have: "A" (name it under "secrets:")',
    ],
    [
      { http: { url: 'http://x', headers: { 'Etcron-Job': 'y' } } },
      'http.headers.Etcron-Job: is set by etcron itself',
    ],
    [
      { command: 'x', env: { A: 'b' }, secrets: { A: { env: 'X' } } },
      'secrets.A: is a variable in "env", too (one name can have one value only)',
    ],
  ])('%j', (job, message) => {
    expect(problems(job)).toEqual([message]);
  });
});
