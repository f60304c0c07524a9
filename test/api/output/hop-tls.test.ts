/** The hop between workers whose APIs speak TLS with certificates of their own authority. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readAuthorities } from '../../../src/api/auth/tls-files.js';
import { HopSecret } from '../../../src/api/output/hop-secret.js';
import { peerCaOf } from '../../../src/api/output/peer-ca.js';
import { RemoteSource } from '../../../src/api/output/remote-source.js';
import { systemClock } from '../../../src/clock.js';
import { Keys } from '../../../src/etcd/keys.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import { certificates } from '../../support/certificates.js';
import { RUN } from './support.js';

let folder: string;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'etcron-tls-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('trusts the authority that stands in the own certificate file, and nobody else unknown', async () => {
  const { ca, server } = await certificates(folder);
  const listening = createServer(
    { cert: readFileSync(server.cert), key: readFileSync(server.key) },
    (_, response) => {
      response.end('[]');
    },
  ).listen(0, '127.0.0.1');
  await new Promise((resolve) => listening.once('listening', resolve));
  const url = `https://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const store = new MemoryEtcd(systemClock).connect();
  const secret = new HopSecret({ store, keys: new Keys() }, systemClock);
  const signal = new AbortController().signal;
  const list = () => {
    const trusted = { secret, clock: systemClock, ca: peerCaOf(readFileSync(server.cert)) };
    return new RemoteSource('w-1', url, trusted).list(RUN, signal);
  };
  try {
    await expect(list()).rejects.toMatchObject({ code: 'ETCRON_WORKER_UNREACHABLE' });
    // By a setting of its own, or because it stands beside the certificate.
    const named = { secret, clock: systemClock, ca: await readAuthorities(ca) };
    expect(await new RemoteSource('w-1', url, named).list(RUN, signal)).toEqual([]);
    appendFileSync(server.cert, `\n${readFileSync(ca, 'utf8')}`);
    expect(await list()).toEqual([]);
  } finally {
    listening.closeAllConnections();
    listening.close();
  }
});
