import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTlsFiles, TlsFiles, type TlsPaths } from '../../../src/api/auth/tls-files.js';
import { createLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { certificates, type Certificates } from '../../support/certificates.js';

let dir: string;
let first: Certificates;
let second: Certificates;
let paths: TlsPaths;
let server: Server | null = null;
const clock = new FakeClock(Date.now());
const lines: string[] = [];
const log = createLogger({
  level: 'info',
  format: 'json',
  destination: { write: (line) => lines.push(line) },
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-tls-'));
  first = await certificates(join(dir, 'first'));
  second = await certificates(join(dir, 'second'));
  paths = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem'), clientCa: null };
  await use(first);
});

afterEach(async () => {
  server?.close();
  lines.length = 0;
  await rm(dir, { recursive: true });
});

async function use({ server: { cert, key } }: Certificates): Promise<void> {
  await copyFile(cert, paths.cert);
  await copyFile(key, paths.key);
}

async function listen(options: Awaited<ReturnType<typeof readTlsFiles>>): Promise<number> {
  server = createServer(options, (_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** The answer, or why there is none, for somebody who trusts only this authority. */
function ask(port: number, { ca }: Certificates, client?: { cert: string; key: string }): Promise<string> {
  return new Promise((resolve) => {
    const identity = client && { cert: readFileSync(client.cert), key: readFileSync(client.key) };
    const options = { port, host: '127.0.0.1', ca: readFileSync(ca), agent: false, ...identity };
    const asked = get(options, (answer) => answer.on('data', (data) => resolve(String(data))));
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** The files are read by the real disk, which the clock does not wait for. */
async function look(until: () => boolean): Promise<void> {
  await clock.advance(10_000);
  while (!until()) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a certificate that is renewed', () => {
  it('is used from then on, without a restart', async () => {
    const options = await readTlsFiles(paths);
    const port = await listen(options);
    const files = new TlsFiles(paths, options, clock, log);
    files.follow(server!);
    expect(await ask(port, first)).toBe('hello');
    await use(second);
    await look(() => lines.some((line) => line.includes('has a new certificate')));
    expect(await ask(port, second)).toBe('hello');
    expect(await ask(port, first)).not.toBe('hello');
    files.stop();
  });

  it('and cannot be used leaves the old one in place, and says so once', async () => {
    const options = await readTlsFiles(paths);
    const port = await listen(options);
    const files = new TlsFiles(paths, options, clock, log);
    files.follow(server!);
    await copyFile(second.server.cert, paths.cert);
    await look(() => lines.some((line) => line.includes('the old one stays')));
    expect(lines.join()).toContain('is not the key of');
    expect(await ask(port, first)).toBe('hello');
    await copyFile(second.server.key, paths.key);
    await look(() => lines.some((line) => line.includes('has a new certificate')));
    expect(await ask(port, second)).toBe('hello');
    expect(lines.filter((line) => line.includes('the old one stays'))).toHaveLength(1);
    files.stop();
  });

  it('is asked for in time', async () => {
    const options = await readTlsFiles(paths);
    new TlsFiles(paths, options, clock, log).follow({ setSecureContext: () => undefined });
    const soon = lines.some((line) => line.includes('expires soon'));
    const later = new FakeClock(Date.now() + 100 * 365 * 86_400_000);
    new TlsFiles(paths, options, later, log).follow({ setSecureContext: () => undefined });
    expect(lines.filter((line) => line.includes('expires soon'))).toHaveLength(soon ? 2 : 1);
  });
});

it('with an authority for clients only those with a certificate of it get in', async () => {
  const port = await listen(await readTlsFiles({ ...paths, clientCa: second.ca }));
  expect(await ask(port, first)).not.toBe('hello');
  expect(await ask(port, first, first.client)).not.toBe('hello');
  expect(await ask(port, first, second.client)).toBe('hello');
});

describe('files that cannot be used', () => {
  it.each([
    ['cert', 'holds no certificate'],
    ['key', 'is not the key of'],
    ['clientCa', 'holds no certificate'],
  ])('%s', async (name, message) => {
    const broken = join(dir, 'broken.pem');
    await writeFile(broken, 'nonsense');
    await expect(readTlsFiles({ ...paths, [name]: broken })).rejects.toThrow(message);
    await expect(readTlsFiles({ ...paths, [name]: join(dir, 'none') })).rejects.toMatchObject({
      code: 'ETCRON_FILE_UNREADABLE',
    });
  });
});
