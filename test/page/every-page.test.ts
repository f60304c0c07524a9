/** Every page, with ordinary, absurd and no data: usable by all, as wide as the window, without complaints of the browser. */
import { describe, expect, test } from 'vitest';
import { accessibilityProblems, PHONE, sidewaysPx, WIDE } from '../support/browser.js';
import { absurdData, emptyData, LONG_NAME, ordinaryData, worker } from '../support/fake-data.js';
import { until, useBrowser } from './fake-page.js';

const browser = useBrowser();

function pagesOf(data: ReturnType<typeof ordinaryData>): [string, string][] {
  const failed = data.runs.find(({ outcome }) => outcome === 'failed');
  const long = data.runs.find(({ job }) => job === LONG_NAME);
  return [
    ['/', 'Station board'],
    ['/jobs', 'Jobs'],
    [`/jobs/${data.jobs[0]?.name ?? 'none'}`, data.jobs.length > 0 ? 'Due next' : 'there is none'],
    ['/runs', 'Runs'],
    [
      `/runs/${(long ?? failed)?.run ?? 'none/2026-01-01T00:00:00.000Z'}`,
      failed ? 'Course' : 'there is none',
    ],
    ['/workers', 'Workers'],
    ['/limits', 'Limits'],
    ['/audit', 'Audit'],
    ['/tokens', 'Tokens'],
    ['/no/such/page', ''],
  ];
}

function schemesAt(viewport: object, both: boolean): readonly ('light' | 'dark')[] {
  if (viewport === PHONE) return ['light'];
  return both ? ['light', 'dark'] : ['dark'];
}

describe.each([
  ['ordinary', ordinaryData],
  ['absurd', absurdData],
  ['no', emptyData],
])('with %s data', (kind, dataAt) => {
  test('every page fits, has no accessibility problems in light and dark, and breaks no policy', async () => {
    const data = dataAt(Date.now());
    const { page, api, complaints } = await browser.open(data, '/');
    const problems: string[] = [];
    for (const [path] of pagesOf(data).filter(([, text]) => text !== '')) {
      await page.goto(api.url + path);
      await page.locator('main h1, main .notice').first().waitFor();
      await page.locator('.connection.is-live').waitFor();
      // Whatever was asked for is there.
      await until(page, `document.querySelector('.skeleton') === null`);
      for (const viewport of [WIDE, PHONE]) {
        await page.setViewportSize(viewport);
        const sideways = await sidewaysPx(page);
        if (sideways > 0) problems.push(`${path} at ${viewport.width}: ${sideways} px too wide`);
        // Colours do not depend on the width, so each of both is looked at once or twice.
        for (const colorScheme of schemesAt(viewport, kind === 'ordinary')) {
          await page.emulateMedia({ colorScheme });
          for (const problem of await accessibilityProblems(page))
            problems.push(`${path} at ${viewport.width}, ${colorScheme}: ${problem}`);
        }
      }
    }
    expect(problems).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

test('a hundred workers are counted where not all are shown', async () => {
  const data = ordinaryData(Date.now());
  data.workers = Array.from({ length: 100 }, (_, index) => worker(`w-${index}`, data.nowMs));
  const { page } = await browser.open(data, '/');
  await page.locator('.worker-strip').getByText('and 76 more').waitFor();
});

test('the checks of accessibility and width find what is wrong', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/', { viewport: PHONE });
  await page.locator('.station').waitFor();
  await page.evaluate(
    `document.body.append(Object.assign(document.createElement('img'), { src: '/icon.svg', width: 900, height: 10 }))`,
  );
  expect((await accessibilityProblems(page)).join()).toContain('image-alt');
  expect(await sidewaysPx(page)).toBeGreaterThan(400);
});

test('an empty cluster says how to make the first job, and how to start a worker', async () => {
  const { page } = await browser.open(emptyData(Date.now()), '/');
  await page.getByText('No jobs yet').waitFor();
  expect(await page.locator('.code').innerText()).toContain('etcron apply -f jobs.yaml');
  expect(await page.getByText('No worker is there').innerText()).toContain('etcron worker');
});

test('the overview says what went wrong, what runs, what comes and who leads', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/');
  const problems = page.locator('.problems', { hasText: 'Needs a look' });
  await problems.waitFor();
  const text = await problems.innerText();
  for (const part of ['report-eu', 'exit code 2']) expect(text).toContain(part);
  const departures = page.locator('.board', { hasText: 'Departures' });
  expect(await departures.innerText()).toMatch(/billing-sync\s+running/);
  expect(await departures.innerText()).toContain('paused: quarter is closed (ann)');
  const arrivals = page.locator('.board', { hasText: 'Arrivals' });
  expect(await arrivals.innerText()).toMatch(/exit 2 · 1.2 s\s+\+\d ms/);
  expect(await page.locator('.head-leader').innerText()).toContain('w-2');
  expect(await page.locator('.time-line svg').getAttribute('aria-label')).toMatch(/4 failed.*Next hour: 7/);
});

test('what can never run is listed whole, each job with its reason and where that is mended', async () => {
  const data = ordinaryData(Date.now());
  data.problems = ['2 jobs cannot run as things are: gpu-train, mail-out'];
  data.jobs.push({ ...data.jobs[0]!, name: 'mail-out', cannotRun: 'the limit mail has no size' });
  const { page } = await browser.open(data, '/');
  const panel = page.locator('.problems', { hasText: 'Can’t run' });
  const line = (name: string) => panel.locator('.problem-line', { hasText: name });
  await line('gpu-train').waitFor();
  expect(await panel.locator('.problem-line').count()).toBe(3);
  expect(await line('gpu-train').innerText()).toContain('no worker has the label gpu=a100');
  expect(await line('typo').innerText()).toContain('scheduel is not a field of a job');
  expect(await line('mail-out').getByRole('link', { name: 'Limits' }).getAttribute('href')).toBe('/limits');
  expect(await page.locator('.figures').innerText()).toMatch(/3\s+can’t run/);
  // It is not said twice, and nothing points to a place where nothing is.
  expect(await page.locator('main').innerText()).not.toMatch(/see above|as things are/);
  await line('gpu-train').getByRole('link', { name: 'gpu-train' }).click();
  await page.getByText('No worker can run it.').waitFor();
});

test('charts tell their numbers to the mouse, to the keyboard, and as a table', async () => {
  const { page } = await browser.open(ordinaryData(Date.now()), '/');
  const lateness = page.getByRole('slider', { name: /^Lateness/ });
  await lateness.hover({ position: { x: 500, y: 60 } });
  const tip = page.locator('.chart-tip');
  expect(await tip.innerText()).toMatch(/^\d\d:\d\d–\d\d:\d\d\s+median\s+\d ms\s+95 %\s+\d ms/);
  await page.mouse.move(5, 5);
  await tip.waitFor({ state: 'detached' });

  await lateness.focus();
  await page.keyboard.press('Home');
  const said = () => lateness.getAttribute('aria-valuetext');
  const first = await said();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  expect(await said()).toMatch(
    /^\d\d:\d\d–\d\d:\d\d: median \d ms, 95 % \d ms, 99 % \d ms, most \d ms, runs \d/,
  );
  expect(await said()).not.toBe(first);
  expect(await tip.innerText()).toContain((await said())!.slice(0, 11));
  await page.keyboard.press('Escape');
  await tip.waitFor({ state: 'detached' });

  const outcomes = page.locator('.panel', { hasText: 'Outcomes' });
  await outcomes.getByText('Numbers').click();
  const cells = await outcomes.locator('tbody tr', { hasText: '1' }).first().innerText();
  expect(cells).toMatch(/\d\d:\d\d–\d\d:\d\d/);
  expect(await outcomes.locator('thead').innerText()).toMatch(/Time\s+lost\s+failed\s+skipped\s+ok/);

  const timeLine = page.getByRole('slider', { name: /^Time line/ });
  await timeLine.focus();
  await page.keyboard.press('ArrowLeft');
  expect(await timeLine.getAttribute('aria-valuetext')).toMatch(/: .*(running|ok) \d/);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/runs?from=*');
});

test('times are in the zone of the viewer, in UTC, or in that of the job', async () => {
  const data = ordinaryData(Date.now());
  const due = new Date(data.runs[0]!.due);
  const options = { timezoneId: 'Asia/Kathmandu' };
  const { page } = await browser.open(data, `/runs/${data.runs[0]!.run}`, options);
  const shown = page.locator('.page-head time');
  await shown.waitFor();
  const clock = (timeZone: string): string =>
    due.toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', second: '2-digit' });
  expect(await shown.innerText()).toContain(clock('Asia/Kathmandu'));
  await page.keyboard.press('z');
  await until(page, `document.querySelector('.page-head time').innerText.includes('${clock('UTC')}')`);
  await page.keyboard.press('z');
  const berlin = clock('Europe/Berlin');
  await until(page, `document.querySelector('.page-head time').innerText.includes('${berlin}')`);
  await page.getByLabel('Settings and more').click();
  expect(await page.getByLabel('Times in').inputValue()).toBe('job');
});
