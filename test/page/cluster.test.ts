/** The page on a real cluster: what one does there happens, and a worker that is killed while it is open is seen to go. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { accessibilityProblems, launchChromium, openPage } from '../support/browser.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let browser: Browser;

beforeAll(async () => {
  [etcd, browser] = await Promise.all([startEtcd(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await etcd?.stop();
});

function until(page: Page, text: RegExp | string) {
  return page.getByText(text).first().waitFor({ timeout: 60_000 });
}

test('a job is made, run, watched, survives its worker, and is killed; all on the page', async () => {
  const [port, firstPort, secondPort] = await freePorts(3);
  const cluster = new Cluster({
    endpoints: [etcd.endpoint],
    workerArgs: ['--lease-ttl', '5s', '--capacity', '4'],
    argsOf: {
      'w-1': ['--label', 'does=work', '--listen', `127.0.0.1:${firstPort}`],
      'w-2': ['--label', 'does=work', '--listen', `127.0.0.1:${secondPort}`],
      'w-page': ['--listen', `127.0.0.1:${port}`],
    },
  });
  const pages: Page[] = [];
  try {
    const [first] = await cluster.start('w-1');
    await cluster.start('w-page');
    const url = `http://127.0.0.1:${port}`;
    // The worker is there before its API, which another thread brings up.
    const isServed = async (): Promise<boolean> => (await fetch(url)).ok;
    await waitUntil(isServed, { what: 'the page to be served', timeoutMs: 60_000 });
    const { page, context, complaints } = await openPage(browser, `${url}/jobs?new`);

    pages.push(page);
    await page.getByLabel('Name').fill('long-one');
    const command = 'command: for i in $(seq 1000); do echo "step $i of $ETCRON_ATTEMPT"; sleep 0.1; done';
    const definition = ["schedule: '0 0 1 1 *'", 'target: { with: { does: work } }', command].join('\n');
    await page.getByLabel('Definition, YAML or JSON').fill(definition);
    await page.getByText('valid', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL('**/jobs/long-one');
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
    await page.getByText('Watch the run').click();
    await page.getByRole('log').getByText('step 5 of 1').waitFor();
    expect(await page.locator('.page-head').innerText()).toMatch(/running[^]*attempt 1[^]*w-1/);

    const board = await context.newPage();
    await board.goto(`${url}/workers`);
    await board.getByRole('article', { name: 'w-1' }).getByText('leader').waitFor();
    await cluster.start('w-2');
    await board.getByRole('article', { name: 'w-2', exact: true }).waitFor();
    first!.child.kill('SIGKILL');
    await board.getByRole('article', { name: 'w-1, gone' }).waitFor();
    await until(board, /leads now, after/);
    expect(await accessibilityProblems(board)).toEqual([]);

    // Attempt 2 is on the other worker, and its output goes on by itself.
    await page
      .getByRole('log')
      .getByText(/step \d+ of 2/)
      .first()
      .waitFor({ timeout: 60_000 });
    expect(await page.locator('.page-head').innerText()).toMatch(
      /attempt 2[^]*1 attempt lost with the worker[^]*w-2/,
    );

    await page.getByRole('button', { name: 'Kill' }).click();
    expect(await page.getByRole('dialog').innerText()).toContain('Kills 1 process tree on w-2');
    await page.getByRole('dialog').getByLabel(/^Why/).fill('seen enough');
    await page.keyboard.press('Enter');
    await page.locator('h1', { hasText: 'killed' }).waitFor();
    const record = await cluster.recordOf('long-one');
    expect([record.outcome, record.attempts]).toEqual(['killed', 2]);

    await board.getByRole('article', { name: 'w-2' }).getByRole('button', { name: 'Drain' }).click();
    await board.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    await board.getByRole('article', { name: 'w-2' }).getByText('draining').waitFor();
    await board.goto(`${url}/audit`);
    await until(board, '+ jobs/long-one');
    await until(board, /drain\/w-2/);
    await board.goto(url);
    await board.locator('.board', { hasText: 'Arrivals' }).getByText('killed').waitFor();
    expect(await accessibilityProblems(board)).toEqual([]);
    expect(complaints).toEqual([]);
  } catch (error) {
    const shown = await Promise.all(pages.map((one) => one.locator('body').innerText()));
    throw new Error(`${String(error)}\n${shown.join('\n---\n')}\n${cluster.complaints()}`, { cause: error });
  } finally {
    await cluster.stop();
  }
});
