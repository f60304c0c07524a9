/** What the tests of the page share: a fake API in front of a browser. */
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { launchChromium, openPage, type PageOptions } from '../support/browser.js';
import { FakeApi, type FakeData } from '../support/fake-api.js';
import { waitUntil } from '../support/wait.js';

export const PAGE_DIR = fileURLToPath(new URL('../../dist/web', import.meta.url));

/** Waits until an expression is true within the page. Asked from outside, since the page's policy forbids `eval`. */
export async function until(page: Page, expression: string): Promise<void> {
  await waitUntil(async () => (await page.evaluate<boolean>(expression)) || undefined, { what: expression });
}

export interface Opened {
  readonly api: FakeApi;
  readonly page: Page;
  /** What the browser complained about. */
  readonly complaints: string[];
}

/** One browser for the tests of a file; whatever a test opens is closed after it. */
export function useBrowser(): {
  open: (data: FakeData, path: string, options?: PageOptions) => Promise<Opened>;
  /** A page of whatever serves it. */
  openUrl: (url: string, options?: PageOptions) => Promise<Omit<Opened, 'api'>>;
} {
  let browser: Browser | undefined;
  const contexts: BrowserContext[] = [];
  const apis: FakeApi[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await Promise.all(apis.splice(0).map((api) => api.stop()));
  });
  afterAll(() => browser?.close());
  return {
    async openUrl(url, options) {
      const opened = await openPage(browser!, url, options);
      contexts.push(opened.context);
      return opened;
    },
    async open(data, path, options) {
      const api = new FakeApi(PAGE_DIR, data);
      await api.start();
      apis.push(api);
      const opened = await openPage(browser!, api.url + path, options);
      contexts.push(opened.context);
      return { api, page: opened.page, complaints: opened.complaints };
    },
  };
}
