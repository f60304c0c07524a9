/** What is shown while things change, while nobody answers, and after the token has expired. */
import { expect, test } from 'vitest';
import { elementCount } from '../support/browser.js';
import { absurdData, ordinaryData, run } from '../support/fake-data.js';
import { waitUntil } from '../support/wait.js';
import { until, useBrowser } from './fake-page.js';

const browser = useBrowser();

test('a run that ends comes in on the board, without a reload', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(data, '/');
  await page
    .locator('.board', { hasText: 'Arrivals' })
    .getByRole('link', { name: 'cache' })
    .first()
    .waitFor();
  await waitUntil(() => api.listeners === 1, { what: 'the page to listen' });
  const ended = run('just-ended', Date.now() - 1_000);
  data.runs.unshift(ended);
  api.push('runs', { ended: [ended], more: false });
  await page.getByRole('link', { name: 'just-ended' }).waitFor();
});

test('a lost connection is said at once, with the age of what is shown; it comes back by itself', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(data, '/');
  await page.locator('.connection.is-live').waitFor();
  await page.locator('.board').first().waitFor();
  await api.stop();
  const banner = page.locator('.banner');
  await banner.waitFor();
  expect(await banner.innerText()).toMatch(/Connection lost[^]*\d+ s old/);
  expect(await page.locator('.connection').innerText()).toBe('not live');
  // What was known stays, greyed.
  expect(await page.getByRole('link', { name: 'gpu-train' }).count()).toBeGreaterThan(0);
  expect(await page.locator('main.is-stale').count()).toBe(1);

  data.runs.unshift(run('meanwhile', Date.now() - 1_000));
  await api.start();
  await page.locator('.connection.is-live').waitFor();
  await page.getByRole('link', { name: 'meanwhile' }).waitFor();
  expect(await banner.count()).toBe(0);
});

test('a server that is cut off from etcd is said, with the age of what it knows, until it follows again', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(data, '/');
  await page.locator('.connection.is-live').waitFor();
  await waitUntil(() => api.listeners === 1, { what: 'the page to listen' });
  const banner = page.locator('.banner');
  expect(await banner.count()).toBe(0);
  // Not at the edge of a minute: the page knows the time of the server to the second.
  api.staleSince = new Date(Date.now() - 75_000).toISOString();
  api.push('stale', { since: api.staleSince });
  await banner.waitFor();
  expect(await banner.innerText()).toMatch(/cannot reach etcd[^]*\n1 m( \d+ s)? old/);
  expect(await page.locator('.connection').innerText()).toBe('not live');
  expect(await page.locator('main.is-stale').count()).toBe(1);
  // By the answers alone as well.
  await page.reload();
  await banner.waitFor();
  api.staleSince = null;
  await waitUntil(() => api.listeners === 1, { what: 'the page to listen again' });
  data.runs.unshift(run('meanwhile', Date.now() - 1_000));
  api.push('stale', { since: null });
  await page.locator('.connection.is-live').waitFor();
  await page.getByRole('link', { name: 'meanwhile' }).waitFor();
  expect(await banner.count()).toBe(0);
});

test('a page that is opened while nobody answers the API says so and goes on trying', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(data, '/');
  await page.locator('.station').waitFor();
  api.refusals.set('GET /api/v1/session', {
    status: 503,
    code: 'ETCRON_ETCD_UNREACHABLE',
    detail: 'no etcd endpoint answers',
    hint: 'Check that etcd runs.',
  });
  await page.reload();
  await page.getByText('no etcd endpoint answers').waitFor();
  await page.getByText('Check that etcd runs.').waitFor();
  api.refusals.clear();
  await page.locator('.station').waitFor();
});

test('an expired token asks for another, and goes on where one was', async () => {
  const data = ordinaryData(Date.now());
  data.session = { name: 'ann', role: 'admin', via: 'cookie', expires: null };
  const { page, api } = await browser.open(data, '/jobs/backup');
  await page.getByText('Due next').waitFor();
  await waitUntil(() => api.listeners === 1, { what: 'the page to listen' });
  data.session = null;
  api.push('jobs', { changed: [], removed: [], more: true });
  await page.getByText('Your session has ended').waitFor();
  await page.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('this is no valid token').waitFor();
  await page.getByLabel('Token').fill(data.token);
  await page.keyboard.press('Enter');
  await page.getByText('Due next').waitFor();
  expect(page.url()).toBe(`${api.url}/jobs/backup`);
  await page.locator('.connection.is-live').waitFor();
  // It is in no address and in nothing that scripts can read.
  expect(await page.evaluate<string>('JSON.stringify(localStorage) + document.cookie')).not.toContain(
    'etcron_good',
  );
});

test('output comes as it is written, is followed, searched, and shows colours', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(data, `/runs/${data.runs[0]!.run}`);
  await waitUntil(() => api.followers === 1, { what: 'the page to follow the output' });
  const log = page.getByRole('log');
  api.write(
    'first\n\u001b[1;32mgreen \u001b[38;2;250;10;10mtrue red\u001b[0m\n<img src=x onerror=alert(1)>\nhalf a li',
  );
  await log.getByText('half a li').waitFor();
  expect(await log.locator('.ansi-green-fg').first().innerText()).toBe('green ');
  expect(await log.locator('[data-sgr~="fg-red"]').innerText()).toBe('true red');
  expect(await log.locator('img').count()).toBe(0);
  for (let line = 0; line < 6_000; line += 1_000)
    api.write(Array.from({ length: 1_000 }, (_, index) => `line ${line + index}\n`).join(''));
  await log.getByText('line 5999').waitFor();
  await page.getByText('earlier lines not kept in the browser').waitFor();
  expect(await log.locator('.output-line').count()).toBeLessThan(120);
  await page.getByLabel('Search the output').fill('line 5500');
  await page.getByText('1 of 1').waitFor();
  await log.getByText('line 5500').waitFor();
});

test('ten thousand jobs are one list, of which few rows are drawn', async () => {
  const data = absurdData(Date.now());
  const { page, complaints } = await browser.open(data, '/jobs');
  const rows = page.locator('.virtual-row');
  await rows.first().locator('a').first().waitFor();
  await page.getByText('10,000').waitFor();
  const counts = [await elementCount(page)];
  for (const place of [5_000, 60_000, 200_000, 440_000]) {
    await page.evaluate(`window.scrollTo(0, ${place})`);
    const index = Math.floor(place / 44);
    await page
      .locator(`.virtual-row[aria-posinset="${Math.min(index + 5, 9_990)}"] a`)
      .first()
      .waitFor();
    counts.push(await elementCount(page));
  }
  await page.getByRole('link', { name: 'job-09999' }).waitFor();
  expect(Math.max(...counts)).toBeLessThan(2_500);
  await page.getByLabel('Search jobs').fill('job-0123');
  await until(page, `document.querySelector('h1').innerText.includes('9')`);
  await page.getByRole('link', { name: 'job-01231' }).waitFor();
  expect(complaints).toEqual([]);
});
