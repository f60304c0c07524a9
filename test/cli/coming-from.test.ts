import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { processEnvironment } from '../../src/cli/environment.js';
import { createProgram } from '../../src/cli/program.js';
import { FIELD_NAMES } from '../../src/jobs/index.js';

const page = readFileSync(new URL('../../docs/coming-from.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| (.*?) \| (.*?) \|/gm)].map(([, there = '', here = '']) => ({
  there,
  here,
}));
const commands = createProgram(processEnvironment()).commands.map((command) => command.name());
/** Words of the page that are values of the field before them, or part of an expression. */
const VALUES = new Set(['H', 'allow', 'skip', 'replace', 'jobs:']);

function isField(path: string): boolean {
  const [field = '', inner] = path.split('.');
  const known = FIELD_NAMES as Readonly<Record<string, readonly string[] | undefined>>;
  return inner === undefined ? FIELD_NAMES[''].includes(field) : known[field]?.includes(inner) === true;
}

describe('docs/coming-from.md', () => {
  it('has the four schedulers', () => {
    expect([...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
      'crontab',
      'Kubernetes CronJob',
      'dkron',
      'Temporal schedules',
    ]);
    expect(rows.length).toBeGreaterThan(80);
  });

  it.each(rows)('names what there is: $there', ({ here }) => {
    for (const [, word = ''] of here.matchAll(/`([^`]+)`/g)) {
      if (VALUES.has(word)) continue;
      const command = /^etcron (\w+)$/.exec(word)?.[1];
      if (command === undefined) expect(word).toSatisfy(isField);
      else expect(commands).toContain(command);
    }
  });
});
