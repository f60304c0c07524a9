/** What a person can do on the page: each asks first, says in numbers what will happen, and sends what it said. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ordinaryData } from '../support/fake-data.js';
import { until, useBrowser } from './fake-page.js';

const browser = useBrowser();

function dialog(page: Page) {
  return page.getByRole('dialog');
}

test('run now, and pause with a reason', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/jobs/billing-sync');
  await page.getByRole('button', { name: 'Run now' }).click();
  expect(await dialog(page).innerText()).toContain('1 run of it is under way');
  await dialog(page).getByRole('button', { name: 'Run now' }).click();
  await page.getByText('Watch the run').waitFor();

  await page.getByRole('button', { name: 'Pause' }).click();
  expect(await dialog(page).innerText()).toContain('1 run under way goes on');
  await dialog(page).getByLabel(/^Why/).fill('the bank is closed');
  await page.keyboard.press('Enter');
  await page.getByText('billing-sync is paused.').waitFor();
  expect(api.changes.map(({ method, url, body }) => [method, url, body])).toEqual([
    ['POST', '/api/v1/jobs/billing-sync/runs', {}],
    ['POST', '/api/v1/jobs/billing-sync/pause', { reason: 'the bank is closed' }],
  ]);
  for (const { headers } of api.changes) expect(headers['x-etcron-csrf']).toBe('1');
});

test('an edit is checked while one types, shows what changes, and compares the revision', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/jobs/backup');
  await page.getByRole('button', { name: 'Edit' }).click();
  const text = page.getByLabel('Definition, YAML or JSON');
  await text.fill("command: pg_dump\nscheduel: '*/10 * * * *'\n");
  await page.getByText('1 problem').waitFor();
  expect(await page.locator('.findings').innerText()).toContain('Did you mean "schedule"?');
  expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
  await page.getByRole('button', { name: 'line 2' }).click();
  expect(await page.evaluate<string>('window.getSelection().toString()')).toContain('scheduel');

  await text.fill("schedule: '*/10 * * * *'\ncommand: pg_dump\n");
  await page.getByText('What changes').waitFor();
  expect(await page.locator('.diff').innerText()).toMatch(/− \*\/5[^]*\+ \*\/10/);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('backup is saved.').waitFor();
  const put = api.changes.find(({ method }) => method === 'PUT')!;
  expect(put.headers['if-match']).toBe('"41"');
  expect(put.body).toContain('*/10');
});

test('a change by somebody else meanwhile is not overwritten, and it says what to do', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/jobs/backup');
  api.refusals.set('PUT', {
    status: 412,
    code: 'ETCRON_CONFLICT',
    detail: 'the job was changed at revision 50',
  });
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('the job was changed at revision 50').waitFor();
  await page.getByText('Somebody else changed this job meanwhile').waitFor();
});

test('deleting says what stays, and leads back to the list', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/jobs/cache');
  await page.getByRole('button', { name: 'Delete' }).click();
  expect(await dialog(page).innerText()).toContain('Nothing of it is running now');
  await dialog(page).getByRole('button', { name: 'Delete the job' }).click();
  await page.waitForURL('**/jobs');
  expect(api.changes[0]).toMatchObject({ method: 'DELETE', url: '/api/v1/jobs/cache' });
  await page.getByText('cache is deleted.').waitFor();
});

test('killing says how many process trees on which worker, by keyboard alone', async () => {
  const data = ordinaryData(Date.now());
  const billing = data.jobs.find(({ name }) => name === 'billing-sync')!;
  billing.definition = { ...billing.definition, retries: { attempts: 3 } };
  billing.underWay = [{ ...data.runs[0]!, run: `${data.runs[0]!.run}+next`, state: 'queued' }];
  const { page, api } = await browser.open(data, `/runs/${data.runs[0]!.run}`);
  const kill = page.getByRole('button', { name: 'Kill' });
  await kill.focus();
  await page.keyboard.press('Enter');
  const said = await dialog(page).innerText();
  expect(said).toContain('Kills 1 process tree on w-1');
  // What comes after: the rules of the job say nothing else.
  expect(said).toContain('recovery: rerun is for a worker that dies, not for a kill');
  expect(said).toContain('No retry follows, although 2 attempts would be left.');
  expect(said).toContain('1 run of it waits for its turn');
  // The focus stays within, and comes back.
  for (let times = 0; times < 8; times += 1) {
    await page.keyboard.press('Tab');
    const outside = `!document.activeElement.closest('dialog') && document.activeElement !== document.body`;
    expect(await page.evaluate<boolean>(outside)).toBe(false);
  }
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  expect(await page.evaluate<string>('document.activeElement.innerText')).toContain('Kill');
  await page.keyboard.press('Enter');
  await dialog(page).getByLabel(/^Why/).fill('hangs');
  await page.keyboard.press('Enter');
  await page.getByText('The worker ends it.').waitFor();
  expect(api.changes.map(({ body }) => body)).toEqual([{ reason: 'hangs' }]);
  expect(api.changes[0]!.url).toMatch(/\/runs\/billing-sync\/.+\/kill$/);
});

test('a run that has ended can be run again', async () => {
  const data = ordinaryData(Date.now());
  const { page, api } = await browser.open(
    data,
    `/runs/${data.runs.find(({ outcome }) => outcome === 'failed')!.run}`,
  );
  await page.getByRole('button', { name: 'Run again' }).click();
  await dialog(page).getByRole('button', { name: 'Run again' }).click();
  await page.getByText('Watch the run').waitFor();
  expect(api.changes[0]!.url).toContain('/rerun');
});

test('draining says who takes over with how much room; the page shows it', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/workers');
  const card = page.getByRole('article', { name: 'w-1' });
  await card.getByRole('button', { name: 'Drain' }).click();
  expect(await dialog(page).innerText()).toContain('1 other worker with room for 7 more');
  await dialog(page).getByLabel(/^Why/).fill('kernel');
  await dialog(page).getByRole('button', { name: 'Drain' }).click();
  await card.getByText('draining').waitFor();
  await card.getByRole('button', { name: 'Resume' }).click();
  await dialog(page).getByRole('button', { name: 'Resume' }).click();
  await card.getByText('draining').waitFor({ state: 'detached' });
  await page.getByRole('article', { name: 'w-2' }).getByRole('button', { name: 'Hand over' }).click();
  await dialog(page).getByRole('button', { name: 'Hand over' }).click();
  await page.getByText('Another worker will lead.').waitFor();
  expect(api.changes.map(({ url }) => url.slice('/api/v1/'.length))).toEqual([
    'workers/w-1/drain',
    'workers/w-1/resume',
    'cluster/hand-over',
  ]);
});

test('the dialog of a kill follows the rules of the job', async () => {
  const data = ordinaryData(Date.now());
  const billing = data.jobs.find(({ name }) => name === 'billing-sync')!;
  Object.assign(billing, { recovery: 'abandon', kind: 'http', next: null });
  const { page } = await browser.open(data, `/runs/${data.runs[0]!.run}`);
  await page.getByRole('button', { name: 'Kill' }).click();
  const said = await dialog(page).innerText();
  expect(said).toContain('Closes the connection of 1 request on w-1');
  expect(said).toContain('as with recovery: abandon');
  expect(said).toMatch(/No retry follows\.\s*(Why|$)/);
});

test('limits say who runs and who waits; an admin changes them, makes new ones, deletes unused ones', async () => {
  const { page, api } = await browser.open(ordinaryData(Date.now()), '/');
  await page.locator('.station').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('l');
  await page.waitForURL('**/limits');
  const database = page.getByRole('article', { name: 'database' });
  const text = await database.innerText();
  expect(text).toMatch(/1 of 2 in use\s+2 runs wait/);
  expect(text).toMatch(/Under way\s+billing-sync\/[^]*Waiting, in their turn\s+report-eu\/[^]*backup\//);
  expect(text).toMatch(/4 jobs:\s+backup\s+billing-sync\s+report-eu\s+and 1 more/);
  expect(await page.getByRole('article', { name: 'mail' }).innerText()).toContain('Nothing of 1 job runs');
  await database.getByRole('button', { name: 'Change' }).click();
  await dialog(page).getByLabel('Size').fill('0');
  expect(await dialog(page).innerText()).toContain('1 run under way go');
  await dialog(page).getByLabel('Size').fill('-1');
  await page.keyboard.press('Enter');
  await dialog(page).getByLabel('Size').fill('3');
  expect(await dialog(page).innerText()).toContain('2 of 2 runs that wait may start at once');
  await page.keyboard.press('Enter');
  await database.getByText('1 of 3 in use').waitFor();
  await page.getByRole('button', { name: 'New limit' }).click();
  await dialog(page).getByLabel('Name, as jobs name it').fill('licences');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await page.getByRole('article', { name: 'licences' }).waitFor();
  await page.getByRole('article', { name: 'spare' }).getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByRole('button', { name: 'Delete the limit' }).click();
  await page.getByRole('article', { name: 'spare' }).waitFor({ state: 'detached' });
  expect(await database.getByRole('button', { name: 'Delete' }).count()).toBe(0);
  expect(api.changes.map(({ method, url, body }) => [method, url.slice(8), body])).toEqual([
    ['PUT', 'limits/database', { size: 3 }],
    ['PUT', 'limits/licences', { size: 1 }],
    ['DELETE', 'limits/spare', undefined],
  ]);
});

test('the audit record is downloaded as a file, of what was searched for', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/audit?key=backup');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download as JSON lines' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('etcron-audit.ndjson');
  expect(download.url()).toContain('/api/v1/audit/export?format=ndjson&key=backup');
  expect(await page.getByRole('link', { name: 'Download as CSV' }).getAttribute('href')).toContain(
    'format=csv',
  );
});

test('a token is shown once, and can be revoked', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  await dialog(page).getByLabel('Name').fill('phone');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  expect(await dialog(page).getByLabel('Token', { exact: true }).inputValue()).toBe('etcron_only-once');
  await dialog(page).getByRole('button', { name: 'Done' }).click();
  expect(await page.content()).not.toContain('only-once');
  const row = page.locator('.token-row', { hasText: 'phone' });
  await row.getByRole('button', { name: 'Revoke' }).click();
  await dialog(page).getByRole('button', { name: 'Revoke' }).click();
  await row.waitFor({ state: 'detached' });
});

test('keys find a job, go to pages, and list themselves', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/');
  await page.locator('.station').waitFor();
  await page.keyboard.press('/');
  await dialog(page).getByRole('combobox').pressSequentially('gpu');
  await dialog(page)
    .getByRole('option', { name: /gpu-train/ })
    .waitFor();
  await until(page, `document.querySelectorAll('[role=option]').length === 1`);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/jobs/gpu-train');
  await page.getByText('No worker can run it.').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.waitForURL('**/workers');
  await page.keyboard.press('?');
  expect(await dialog(page).innerText()).toContain('find a job');
  await page.keyboard.press('Escape');
  await page.keyboard.press('t');
  expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
});

test('a viewer sees everything and is offered nothing', async () => {
  const data = ordinaryData(Date.now());
  data.session = { name: 'vic', role: 'viewer', via: 'cookie', expires: null };
  const { page, api } = await browser.open(data, '/jobs/backup');
  await page.getByText('You may look').waitFor();
  expect(await page.getByRole('button', { name: /Run now|Pause|Edit|Delete/ }).count()).toBe(0);
  api.refusals.set('GET /api/v1/audit', {
    status: 403,
    code: 'ETCRON_FORBIDDEN',
    detail: 'this needs the role admin',
    hint: 'Ask an admin for a token with that role.',
  });
  await page.goto(`${api.url}/audit`);
  await page.getByText('Not permitted').waitFor();
  await page.getByText('Ask an admin').waitFor();
});
