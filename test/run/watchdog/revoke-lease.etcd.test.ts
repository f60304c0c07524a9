/** On real etcd servers: plain, with users, with TLS and certificates of clients, down. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { EtcdStore } from '../../../src/etcd/etcd-store.js';
import type { EtcdConnection } from '../../../src/run/watchdog/messages.js';
import { revokeLease } from '../../../src/run/watchdog/sidecar/revoke-lease.js';
import { revokeEverywhere } from '../../../src/run/watchdog/sidecar/revoke-everywhere.js';
import {
  certificates,
  etcdctl,
  startEtcd,
  type RunningEtcd,
  type StartEtcdOptions,
} from '../../support/etcd.js';

let directory: string;
const closing: (() => Promise<void>)[] = [];
/** The address of nothing: refused at once. */
const NOBODY = '127.0.0.1:1';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcron-revoke-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: StartEtcdOptions = {}): Promise<RunningEtcd> {
  const etcd = await startEtcd(options);
  closing.push(() => etcd.stop());
  return etcd;
}

const addressOf = (url: string): string => url.replace(/^https?:\/\//, '');

/** Grants a lease with a key on it, revokes it , and looks for the key. */
async function revokeOne(
  connection: EtcdConnection,
): Promise<{ before: number; after: number; revoked: boolean }> {
  const { endpoints, tls, credentials } = connection;
  const pem = (text: string | null | undefined): Buffer | null => (text ? Buffer.from(text) : null);
  const store = new EtcdStore({
    endpoints: endpoints.filter((endpoint) => endpoint !== NOBODY),
    credentials,
    tls: tls && { ca: pem(tls.ca), cert: pem(tls.cert), key: pem(tls.key) },
  });
  closing.push(() => store.close());
  const { leaseId } = await store.leaseGrant(600_000);
  await store.txn({ compare: [], success: [{ type: 'put', key: '/k', value: 'v', leaseId }] });
  const count = async (): Promise<number> => (await store.range({ start: '/k', end: '/l' })).kvs.length;
  const before = await count();
  const { revoked } = await revokeEverywhere(connection, leaseId, performance.now());
  // What is gone already is as good as revoked.
  if (revoked)
    expect(await revokeEverywhere(connection, leaseId, performance.now())).toMatchObject({ revoked });
  return { before, after: await count(), revoked };
}

it('revokes a lease, past an endpoint that is down', async () => {
  const etcd = await start();
  const endpoints = [NOBODY, addressOf(etcd.endpoint)];
  expect(await revokeOne({ endpoints, tls: null, credentials: null })).toEqual({
    before: 1,
    after: 0,
    revoked: true,
  });
});

it('does not mind credentials that etcd does not ask for', async () => {
  const etcd = await start();
  const credentials = { user: 'root', password: 'x' };
  const endpoints = [addressOf(etcd.endpoint)];
  expect(await revokeOne({ endpoints, tls: null, credentials })).toEqual({
    before: 1,
    after: 0,
    revoked: true,
  });
});

it('revokes a lease as a user, over TLS with a certificate of its own', async () => {
  const files = await certificates(join(directory, 'tls'));
  const etcd = await start({
    tls: { ca: files.ca, ...files.server, clientCertAuth: true, client: files.client },
  });
  const flags = ['--cacert', files.ca, '--cert', files.client.cert, '--key', files.client.key];
  const run = (...args: string[]): Promise<string> =>
    etcdctl([...flags, ...args], { endpoints: etcd.endpoints });
  await run('user', 'add', 'root:secret');
  await run('user', 'grant-role', 'root', 'root');
  await run('auth', 'enable');
  const pem = (path: string): string => readFileSync(path, 'utf8');
  const endpoints = [addressOf(etcd.endpoint)];
  const tls = { ca: pem(files.ca), cert: pem(files.client.cert), key: pem(files.client.key) };
  const credentials = { user: 'root', password: 'secret' };
  expect(await revokeOne({ endpoints, tls, credentials })).toEqual({ before: 1, after: 0, revoked: true });

  const signal = AbortSignal.timeout(30_000);
  const wrong = await revokeLease(
    { endpoints, tls, credentials: { user: 'root', password: 'wrong' } },
    endpoints[0]!,
    '1',
    signal,
  );
  expect(wrong).toMatchObject({
    kind: 'refused',
    problem: expect.stringContaining('authentication failed') as string,
  });
  const untrusted = await revokeLease(
    { endpoints, tls: { ...tls, ca: null }, credentials },
    endpoints[0]!,
    '1',
    signal,
  );
  expect(untrusted.kind).toBe('unavailable');
});

it('knows what is no etcd', async () => {
  const server = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('HTTP/1.1 200 OK\r\n\r\n'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((done) => server.close(() => done())));
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = { endpoints: [endpoint], tls: null, credentials: null };
  const answer = await revokeLease(connection, endpoint, '1', AbortSignal.timeout(30_000));
  expect(answer.kind).toBe('unavailable');
});

it('waits no longer than it is told to for one that does not answer', async () => {
  const etcd = await start();
  etcd.pause();
  const endpoint = addressOf(etcd.endpoint);
  const abort = new AbortController();
  const answer = revokeLease(
    { endpoints: [endpoint], tls: null, credentials: null },
    endpoint,
    '1',
    abort.signal,
  );
  abort.abort(new Error('enough'));
  expect(await answer).toEqual({ kind: 'unavailable', problem: 'enough' });
});

it('gives up at its deadline when nobody answers', async () => {
  const answer = await revokeEverywhere(
    { endpoints: [NOBODY], tls: null, credentials: null },
    '1',
    performance.now() + 300,
  );
  expect(answer).toMatchObject({
    revoked: false,
    problems: { [NOBODY]: expect.stringContaining('ECONNREFUSED') as string },
  });
});
