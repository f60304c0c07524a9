import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asIs, inShell, inUrl, TemplateRenderer } from '../../src/run/render-template.js';
import type { RunRequest } from '../../src/run/executor.js';
import { commandTask, IDENTITY } from './support.js';

const request: RunRequest = {
  ...{ task: commandTask('true'), secrets: {}, timezone: 'Asia/Tokyo', previousDueMs: () => null },
  ...{ timeoutMs: null, identity: IDENTITY, killGraceMs: 1 },
};

describe('a filled-in template', () => {
  const templates = new TemplateRenderer(request, { KEY: 'a b/ü' });

  it.each([
    ['{{ due }}', asIs, '2026-11-21T14:00:00.000Z'],
    ["{{ due | d MMM, HH:mm 'o''clock' }}", asIs, "21 Nov, 23:00 o'clock"],
    ['<{{ previousDue }}>', asIs, '<>'],
    ['{{ job }} {{ attempt }} {{ fencingToken }}', asIs, 'backup 2 4711'],
    ['/{{ runId }}?{{ secrets.KEY }}', inUrl, '/backup%2F2026-11-21T14%3A00%3A00.000Z?a%20b%2F%C3%BC'],
    ['{{ secrets.KEY }}', asIs, 'a b/ü'],
    ["{{ '{{' }}.Names}} {{ '$HOME; x' }}", inShell, '{{.Names}} $HOME; x'],
    ['x {{ previousDue }} {{ due | HH:mm dd }}', inShell, "x '' '23:00 21'"],
  ])('%s', (text, escape, filled) => {
    expect(templates.render(text, escape)).toBe(filled);
  });

  it('is one word for the shell, whatever the value', () => {
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', ' ', '\n', ';', '#', '*', '!', 'a', '-') }),
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), (values) => {
        const script = `printf '%s\\0' ${values.map(inShell).join(' ')}`;
        const told = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
        expect(told.split('\0').slice(0, -1)).toEqual(values);
      }),
      { numRuns: 20 },
    );
  });
});
