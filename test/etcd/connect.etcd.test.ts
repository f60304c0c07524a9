import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/clock.js';
import { connect } from '../../src/etcd/connect.js';
import { resolveConnectionOptions } from '../../src/etcd/connection-options.js';
import type { ConnectionFlags } from '../../src/etcd/connection-settings.js';
import type { EtcdStore } from '../../src/etcd/etcd-store.js';
import { prefixRange } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { certificates, type Certificates } from '../support/certificates.js';
import { etcdctl, startEtcd, type RunningEtcd } from '../support/etcd.js';
import { RecordedWatch, rejection } from './conformance.js';
import { TcpLink } from '../support/tcp-link.js';

const addressOf = (endpoint: string): string => new URL(endpoint).host;

/** As a user would: from flags. */
async function connectWith(flags: ConnectionFlags): Promise<EtcdStore> {
  const patient = { dialTimeout: '20s', callTimeout: '20s' };
  return connect(await resolveConnectionOptions({ flags: { ...patient, ...flags }, env: {}, cwd: tmpdir() }));
}

async function closedAddress(): Promise<string> {
  const link = await TcpLink.start();
  const { address } = link;
  await link.stop();
  return address;
}

describe('connecting', () => {
  it('to nobody is one error that names each endpoint, the reason and what to do', async () => {
    const silent = await TcpLink.start();
    const closed = await closedAddress();
    const error = await rejection(
      connectWith({ endpoints: `${closed},${silent.address},nowhere.invalid`, dialTimeout: '500ms' }),
    );
    expect(error.code).toBe('ETCRON_ETCD_UNREACHABLE');
    expect(error.exitCode).toBe(3);
    expect(error.message).toContain(`${closed}: connection refused`);
    expect(error.message).toContain(`${silent.address}: no connection within 500 ms`);
    expect(error.message).toMatch(/nowhere\.invalid:2379: (the host name cannot be resolved|no connection)/);
    expect(error.hint).toContain('ETCRON_ENDPOINTS');
    await silent.stop();
  });

  it('needs one endpoint that answers', async () => {
    const etcd = await startEtcd();
    const store = await connectWith({
      endpoints: `${await closedAddress()},${etcd.endpoint.slice('http://'.length)}`,
    });
    expect((await store.range(prefixRange('/cron/'))).count).toBe(0);
    await store.close();
    // A user for an etcd without authentication is no error.
    const known = await connectWith({ endpoints: etcd.endpoint, user: 'u', password: 'p' });
    await known.close();
    const secure = await rejection(
      connectWith({ endpoints: etcd.endpoint.replace('http', 'https'), dialTimeout: '5s' }),
    );
    expect(secure).toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
    expect(secure.message).toContain('perhaps it needs http://');
    await etcd.stop();
  });
});

describe('TLS with client certificates', () => {
  let dir: string;
  let pem: Certificates;
  let strangers: Certificates;
  let etcd: RunningEtcd;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'etcron-tls-'));
    pem = await certificates(join(dir, 'ours'));
    strangers = await certificates(join(dir, 'theirs'));
    const server = { ca: pem.ca, cert: pem.server.cert, key: pem.server.key };
    etcd = await startEtcd({ tls: { ...server, clientCertAuth: true, client: pem.client } });
  });
  afterAll(async () => {
    await etcd.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('serves calls, leases and watches', async () => {
    const store = await connectWith({ endpoints: etcd.endpoint, cacert: pem.ca, ...pem.client });
    const { leaseId } = await store.leaseGrant(60_000);
    const { revision } = await store.txn({ compare: [], success: [put('/cron/a', '1', leaseId)] });
    const watch = new RecordedWatch(store, prefixRange('/cron/'), revision);
    await watch.until(({ events }) => events.length === 1);
    expect((await store.leaseKeepAlive(leaseId)).ttlMs).toBe(60_000);
    await store.close();
  });

  it.each([
    ['no certificate of ours', () => ({ cacert: pem.ca }), /client certificate|closed at once/],
    [
      'a certificate of another authority',
      () => ({ cacert: pem.ca, ...strangers.client }),
      /client certificate|closed at once/,
    ],
    [
      'an authority that did not sign the server',
      () => ({ cacert: strangers.ca, ...pem.client }),
      /not signed by an authority/,
    ],
    ['no authority', () => ({ ...pem.client }), /not signed by an authority/],
  ])('explains a failure: %s', async (_, files, reason) => {
    const error = await rejection(connectWith({ endpoints: etcd.endpoint, ...files() }));
    expect(error.code).toBe('ETCRON_ETCD_UNREACHABLE');
    expect(error.message).toMatch(reason);
  });

  it('explains http:// to an https:// endpoint', async () => {
    const error = await rejection(connectWith({ endpoints: addressOf(etcd.endpoint), dialTimeout: '3s' }));
    expect(error.code).toBe('ETCRON_ETCD_UNREACHABLE');
    expect(error.message).toMatch(/perhaps it needs https:\/\//);
  });
});

describe('user and password', () => {
  const TOKEN_TTL_MS = 1_000;
  let etcd: RunningEtcd;
  let endpoints: string;
  const root = ['--user', 'root:secret'];
  beforeAll(async () => {
    etcd = await startEtcd({
      extraArgs: ['--auth-token', 'simple', '--auth-token-ttl', String(TOKEN_TTL_MS / 1000)],
    });
    endpoints = addressOf(etcd.endpoint);
    const ctl = (...args: string[]) => etcdctl(args, { endpoints: [etcd.endpoint] });
    await ctl('user', 'add', 'root:secret');
    await ctl('user', 'grant-role', 'root', 'root');
    await ctl('user', 'add', 'cron:pass');
    await ctl('role', 'add', 'cron');
    await ctl('role', 'grant-permission', 'cron', '--prefix=true', 'readwrite', '/cron/');
    await ctl('user', 'grant-role', 'cron', 'cron');
    await ctl('auth', 'enable');
  });
  afterAll(() => etcd.stop());

  const authentications = async (): Promise<number> => {
    const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
    const line = /grpc_server_handled_total\{grpc_code="OK",grpc_method="Authenticate".*\} (\d+)/.exec(
      metrics,
    );
    return Number(line?.[1] ?? 0);
  };

  it('must be right', async () => {
    for (const flags of [{ user: 'cron', password: 'wrong' }, { user: 'nobody', password: 'pass' }, {}]) {
      const error = await rejection(connectWith({ endpoints, ...flags }));
      expect(error).toMatchObject({ code: 'ETCRON_ETCD_AUTH', transient: false });
      expect(error.message).toContain(endpoints);
      expect(error.hint).toBeDefined();
    }
  });

  it('must be allowed to use the key prefix', async () => {
    const flags = { endpoints, user: 'cron', password: 'pass' };
    expect(await rejection(connectWith({ ...flags, prefix: '/elsewhere' }))).toMatchObject({
      code: 'ETCRON_ETCD_AUTH',
    });
    const store = await connectWith(flags);
    const denied = await rejection(store.txn({ compare: [], success: [put('/elsewhere/a', '')] }));
    expect(denied).toMatchObject({ code: 'ETCRON_ETCD_AUTH', maybeApplied: false });
    const watch = new RecordedWatch(store, prefixRange('/elsewhere/'), 1);
    await watch.until(({ lost }) => lost !== undefined);
    expect(watch.lost!.code).toBe('ETCRON_ETCD_AUTH');
    await store.close();
  });

  it('outlive their tokens: calls, keepalives and watches authenticate again', async () => {
    const link = await TcpLink.start(endpoints);
    const store = await connectWith({ endpoints: link.address, user: 'cron', password: 'pass' });
    const { leaseId } = await store.leaseGrant(60_000);
    const { revision } = await store.txn({ compare: [], success: [put('/cron/a', '1', leaseId)] });
    const watch = new RecordedWatch(store, prefixRange('/cron/'), revision);
    await watch.until(({ events }) => events.length === 1);

    for (let round = 1; round <= 2; round += 1) {
      const before = await authentications();
      // Each use extends a token, so there is no way to see it expire but to let its time pass.
      await sleep(systemClock, 3 * TOKEN_TTL_MS);
      if (round === 1) await store.txn({ compare: [], success: [put('/cron/a', 'after', leaseId)] });
      else {
        // The watch is the first to need a token.
        link.cut();
        link.heal();
        await watch.until(({ connections }) => connections.at(-1) === true && connections.length >= 3);
        await store.txn({ compare: [], success: [put('/cron/a', 'again', leaseId)] });
      }
      expect(await authentications()).toBeGreaterThan(before);
      expect((await store.leaseKeepAlive(leaseId)).ttlMs).toBe(60_000);
      await watch.until(({ events }) => events.length === 1 + round);
    }
    expect(watch.lost).toBeUndefined();
    await store.close();
    await link.stop();
  });

  it('outlive a restart of etcd, which forgets all tokens', async () => {
    const store = await connectWith({ endpoints, user: 'cron', password: 'pass' });
    const { revision } = await store.txn({ compare: [], success: [put('/cron/b', '1')] });
    const watch = new RecordedWatch(store, prefixRange('/cron/b'), revision);
    await watch.until(({ events }) => events.length === 1);
    await etcd.restart();
    await store.range(prefixRange('/cron/'));
    await store.txn({ compare: [], success: [put('/cron/b', '2')] });
    await watch.until(({ events }) => events.length === 2);
    await store.close();
    await etcdctl([...root, 'auth', 'disable'], { endpoints: [etcd.endpoint] });
  });
});
