import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { fillTables } from '../../bench/docs-tables.js';
import { drawLateness } from '../../bench/lateness-plot.js';
import { readResults } from '../../bench/results.js';

const docs = new URL('../../docs/', import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, docs), 'utf8');

it('docs/performance.md holds the tables and the plot that docs/performance.json gives', async () => {
  const results = await readResults(fileURLToPath(new URL('performance.json', docs)));
  const page = await read('performance.md');
  expect(page).toContain('<!-- bench:targets -->');
  expect(fillTables(page, results)).toBe(page);
  const plot = await drawLateness(results);
  expect(page.includes('](lateness.svg)')).toBe(plot !== null);
  if (plot !== null) expect(await read('lateness.svg')).toBe(plot);
});
