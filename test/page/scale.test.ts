/**
 * Ten thousand jobs and a hundred thousand runs, asked of the real API on an etcd in memory: however much there is, a page
 * draws what the window shows and asks for what it draws.
 */
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiServer } from '../../src/api/server.js';
import type { ApiApp } from '../../src/api/services.js';
import { systemClock } from '../../src/clock.js';
import { dashboardPlugin } from '../../src/dashboard/dashboard-plugin.js';
import { formatRunId, Keys } from '../../src/etcd/keys.js';
import { emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { elementCount } from '../support/browser.js';
import { PAGE_DIR, useBrowser } from './fake-page.js';

const JOBS = 10_000;
const RUNS_OF_EACH = 10;
const PUTS_IN_ONE = 100;
/** Whatever a page shows, it is made of fewer elements than this. */
const MOST_ELEMENTS = 2_500;
const MOST_ROWS = 100;

const browser = useBrowser();
let app: ApiApp;
let url: string;

beforeAll(async () => {
  const etcd = new MemoryEtcd(systemClock, { keepHistory: false });
  const keys = new Keys('/cron');
  seed(etcd, keys, Date.now());
  app = await createApiServer({
    ...{ store: etcd.connect({ name: 'api' }), keys, clock: systemClock, log: silentLogger() },
    worker: null,
    settings: { isLoopback: true },
    extensions: [async (scope) => void (await scope.register(dashboardPlugin, { pageDir: PAGE_DIR }))],
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});

afterAll(() => app?.close());

/** In the order of the keys, each job with ten runs in the last hour, of which every hundredth failed. */
function seed(etcd: MemoryEtcd, keys: Keys, nowMs: number): void {
  const names = Array.from({ length: JOBS }, (_, index) => `job-${String(index).padStart(5, '0')}`);
  const definition = JSON.stringify({ schedule: '*/6 * * * *', command: 'true' });
  const broken = JSON.stringify({ schedule: 'nope', command: 'true' });
  put(
    etcd,
    names.map((name, index) => [keys.job(name), index % 20 === 0 ? broken : definition]),
  );
  const runs: [string, string][] = [];
  for (const [index, job] of names.entries()) {
    for (let back = RUNS_OF_EACH; back > 0; back -= 1) {
      const dueMs = nowMs - back * 350_000 - index * 10;
      const isBad = (index * RUNS_OF_EACH + back) % 100 === 0;
      const record = {
        ...emptyRecord(isBad ? 'failed' : 'succeeded', isBad ? 'exit code 3' : null, dueMs + 30),
        ...{ attempts: 1, worker: 'w-1', latenessMs: 2, durationMs: 20, exitCode: isBad ? 3 : 0 },
      };
      runs.push([keys.runs + formatRunId({ job, dueMs, suffix: null }), encodeRun(record)]);
    }
  }
  put(etcd, runs);
}

function put(etcd: MemoryEtcd, pairs: readonly (readonly [string, string])[]): void {
  for (let from = 0; from < pairs.length; from += PUTS_IN_ONE) {
    const success = pairs
      .slice(from, from + PUTS_IN_ONE)
      .map(([key, value]) => ({ type: 'put' as const, key, value }));
    etcd.txn({ compare: [], success });
  }
}

async function rows(page: Page): Promise<number> {
  return page.locator('.virtual-row').count();
}

test('every page draws what the window shows, and no more', async () => {
  const { page, complaints } = await browser.openUrl(`${url}/`);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url().slice(url.length)));
  await page.getByText('All 500 in the list of jobs').waitFor({ timeout: 60_000 });
  expect(await page.locator('.figures').innerText()).toMatch(/1,000\s+failed[^]*500\s+can’t run/);
  const cannotRun = page.locator('.problems', { hasText: 'in the list of jobs' });
  await cannotRun.getByRole('button', { name: 'Show 44 more' }).click();
  expect(await cannotRun.locator('.problem-line').count()).toBe(50);
  await cannotRun.getByText('and 450 more in the list of jobs').waitFor();
  expect(await page.locator('.time-line figcaption').innerText()).toMatch(/100,000 runs|9\d,\d{3} runs/);
  const counts = [await elementCount(page)];

  // From there to each of them, with its reason.
  await cannotRun.getByText('All 500 in the list of jobs').click();
  await page.getByRole('link', { name: 'job-00020' }).waitFor();
  await page.locator('h1', { hasText: '500' }).waitFor();
  expect(await page.locator('.virtual-row').nth(1).innerText()).toContain('schedule');

  await page.goto(`${url}/jobs`);
  await page.locator('h1', { hasText: '10,000' }).waitFor();
  for (const place of [0, 44 * 4_000, 44 * 9_990]) {
    await page.evaluate(`window.scrollTo(0, ${place})`);
    const index = Math.min(Math.floor(place / 44) + 5, 9_995);
    await page.locator(`.virtual-row[aria-posinset="${index}"] a`).first().waitFor();
    counts.push(await elementCount(page));
    expect(await rows(page)).toBeLessThan(MOST_ROWS);
  }

  asked.length = 0;
  await page.goto(`${url}/runs`);
  await page.locator('.virtual-row[aria-posinset="10"] a').first().waitFor();
  const firstPages = asked.filter((one) => one.startsWith('/api/v1/runs')).length;
  expect(firstPages).toBe(1);
  // Down to the end again and again, as a person scrolls; each page is asked for once.
  for (let loaded = 200; loaded <= 1_000; loaded += 200) {
    await page.evaluate('window.scrollTo(0, document.documentElement.scrollHeight)');
    await page
      .locator(`.virtual-row[aria-posinset="${loaded + 1}"] a`)
      .first()
      .waitFor();
    expect(await rows(page)).toBeLessThan(MOST_ROWS);
  }
  counts.push(await elementCount(page));
  const pages = asked.filter((one) => one.startsWith('/api/v1/runs'));
  expect(new Set(pages).size).toBe(pages.length);
  expect(pages.length).toBe(6);
  await page.getByRole('button', { name: 'Failed' }).click();
  await page.getByText('exit code 3').first().waitFor();

  await page.goto(`${url}/jobs/job-00001`);
  await page.getByText('Due next').waitFor();
  await page.locator('.run-rows .run-row').first().waitFor();
  counts.push(await elementCount(page));
  expect(Math.max(...counts)).toBeLessThan(MOST_ELEMENTS);
  expect(complaints).toEqual([]);
});
