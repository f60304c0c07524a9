/** The first view is small, and the document of the page holds nothing that its policy would refuse. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PAGE_DIR } from './fake-page.js';

const LIMIT_BYTES = 150_000;
const html = readFileSync(join(PAGE_DIR, 'index.html'), 'utf8');

/** What the document loads before anything is drawn, with what these files load at once. */
function firstFiles(): string[] {
  const files = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((found) => found[1]!);
  for (const file of files.filter((one) => one.endsWith('.js'))) {
    const imports = readFileSync(join(PAGE_DIR, file), 'utf8').matchAll(
      /^import[^"'(]*["']\.\/([^"']+)["']/gm,
    );
    files.push(...[...imports].map((found) => `assets/${found[1]!}`));
  }
  return [...new Set(files)];
}

test('the first view is less than 150 kB compressed', () => {
  const files = ['index.html', ...firstFiles()];
  expect(files.length).toBeGreaterThanOrEqual(3);
  const bytes = files.reduce((sum, file) => sum + statSync(join(PAGE_DIR, `${file}.gz`)).size, 0);
  expect(bytes).toBeLessThan(LIMIT_BYTES);
});

test('the document has no code and no styles of its own, and loads nothing from elsewhere', () => {
  expect(html).not.toMatch(/<style|style=|\son\w+=|javascript:/);
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
  expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
});
