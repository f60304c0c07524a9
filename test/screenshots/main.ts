/**
 * Makes the pictures of the page in docs/images, from a real etcd and real workers with jobs of all kinds:
 * `npm run screenshots`. Most of its time passes while the cluster makes a history that is worth a look.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { startEmbeddedEtcd } from '../../src/etcd/embedded/embedded-etcd.js';
import { EtcdStore } from '../../src/etcd/etcd-store.js';
import { Keys } from '../../src/etcd/keys.js';
import { launchChromium, openPage, PHONE, WIDE } from '../support/browser.js';
import { waitUntil } from '../support/wait.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';

const HISTORY_MS = 75_000;
const [program = '', images = 'docs/images'] = process.argv.slice(2);

const JOBS: Record<string, object> = {
  heartbeat: {
    schedule: '*/10 * * * * *',
    command: 'echo alive',
    description: 'Says that the cluster is there',
  },
  'billing-sync': {
    schedule: '*/30 * * * * *',
    command:
      'for i in $(seq 1 20); do printf "\\033[32mok\\033[0m  invoice %04d\\n" $i; sleep 1; done; echo "\\033[33mwarning\\033[0m 2 invoices without a customer" >&2',
    description: 'Sends what was invoiced to the bank',
    labels: { team: 'money' },
  },
  'report-eu': {
    schedule: ['*/20 * * * * *', '30 2 * * *'],
    timezone: 'Europe/Berlin',
    command: 'echo "report for Europe"; sleep 0.4',
    labels: { team: 'reports' },
  },
  'report-us': {
    schedule: '*/5 * * * *',
    timezone: 'America/New_York',
    command: 'echo report',
    paused: { reason: 'quarter is being closed (ann)' },
    labels: { team: 'reports' },
  },
  'backup-db': {
    schedule: '15/45 * * * * *',
    command: 'echo "dumping main"; sleep 1; echo "disk quota exceeded" >&2; exit 2',
    description: 'Copies the database to the other site',
    retries: { attempts: 2, delay: '3s' },
    labels: { team: 'data' },
  },
  'warm-cache': { schedule: '*/8 * * * * *', command: 'sleep 11', overlap: 'skip' },
  'train-model': { schedule: '0 * * * *', command: 'python train.py', target: { with: { gpu: 'a100' } } },
  'night-clock': { schedule: '30 2 * * *', timezone: 'Europe/Berlin', command: 'date' },
  'rotate-logs': { schedule: '@every 25s', command: 'echo rotated', everywhere: true },
};

async function main(): Promise<void> {
  mkdirSync(images, { recursive: true });
  const silent = { debug: () => undefined, info: () => undefined };
  const etcd = await startEmbeddedEtcd({ log: silent });
  const keys = new Keys('/cron');
  const store = new EtcdStore({ endpoints: [etcd.endpoint] });
  const workers: WorkerProcess[] = [];
  let browser: Browser | undefined;
  try {
    for (const [name, definition] of Object.entries({
      ...JOBS,
      'typo-in-schedule': { schedule: 'evry 5 minutes', command: 'true' },
    }))
      await store.txn({
        compare: [],
        success: [{ type: 'put', key: keys.job(name), value: JSON.stringify(definition) }],
      });
    const ports = await freePorts(3);
    for (const [index, port] of ports.entries()) {
      const name = `worker-${index + 1}`;
      const args = [
        '--listen',
        `127.0.0.1:${port}`,
        '--capacity',
        '8',
        '--label',
        `zone=${index === 2 ? 'us' : 'eu'}`,
      ];
      const files = { folder: etcd.dataDir, logFile: join(etcd.dataDir, `${name}.log`) };
      workers.push(
        spawnWorker({ program, name, endpoints: [etcd.endpoint], prefix: keys.prefix, ...files, args }),
      );
    }
    const url = `http://127.0.0.1:${ports[0]}`;
    await waitUntil(async () => (await fetch(url)).ok, { what: 'the page to be served', timeoutMs: 60_000 });
    console.error(`A history is being made at ${url} …`);
    await sleep(HISTORY_MS);
    const post = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"reason":"kernel update"}',
    };
    await fetch(`${url}/api/v1/workers/worker-3/drain`, post);
    await sleep(2_000);
    browser = await launchChromium();
    await takeAll(browser, url);
  } finally {
    await browser?.close();
    for (const { child } of workers) child.kill('SIGTERM');
    await Promise.all(workers.map(({ exited }) => exited));
    await store.close();
    await etcd.stop();
  }
}

async function takeAll(browser: Browser, url: string): Promise<void> {
  const list = async (query: string): Promise<string> => {
    const { runs } = (await (await fetch(`${url}/api/v1/runs?${query}&limit=1`)).json()) as {
      runs: { run: string }[];
    };
    return `/runs/${runs[0]?.run ?? ''}`;
  };
  const shots: [string, string, typeof WIDE, 'light' | 'dark'][] = [
    ['overview', '/', WIDE, 'light'],
    ['overview-dark', '/', WIDE, 'dark'],
    ['overview-phone', '/', PHONE, 'dark'],
    ['jobs', '/jobs', WIDE, 'light'],
    ['jobs-phone', '/jobs', PHONE, 'light'],
    ['job', '/jobs/report-eu', WIDE, 'light'],
    ['run', await list('job=billing-sync&outcome=succeeded'), WIDE, 'dark'],
    ['run-failed-phone', await list('job=backup-db'), PHONE, 'light'],
    ['workers', '/workers', WIDE, 'light'],
  ];
  for (const [name, path, viewport, colorScheme] of shots) {
    const { page, context } = await openPage(browser, url + path, { viewport, colorScheme });
    await page.locator('.connection.is-live').waitFor();
    await waitUntil(async () => (await page.locator('.skeleton').count()) === 0, {
      what: `${path} to be drawn`,
    });
    await sleep(700);
    await page.screenshot({ path: join(images, `${name}.png`), fullPage: viewport === WIDE });
    await context.close();
    console.error(join(images, `${name}.png`));
  }
}

await main();
