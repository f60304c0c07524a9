import { expect, it } from 'vitest';
import { checkListen } from '../../../src/api/auth/binding.js';
import { put } from '../../../src/etcd/txn.js';
import { Keys } from '../../../src/etcd/keys.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';

const keys = new Keys();
const LOOPBACK = ['127.0.0.1', '127.8.8.8', '::1', 'localhost', '::ffff:127.0.0.1'];
const BEYOND = ['0.0.0.0', '::', '192.0.2.1', 'etcron.example', '', '127.0.0.1.evil.example', '1.127.0.0.1'];

async function check(
  host: string,
  options: { hasToken?: boolean; hasTls?: boolean; insecureHttp?: boolean },
) {
  const clock = new FakeClock(0);
  const etcd = new MemoryEtcd(clock);
  if (options.hasToken) etcd.txn({ compare: [], success: [put(keys.token('a'), '{}')] });
  const { hasTls = false, insecureHttp = false } = options;
  let answer: unknown = null;
  const checking = checkListen({ store: etcd.connect(), keys }, { host, hasTls, insecureHttp }).then(
    () => (answer = 'listens'),
    (error: unknown) => (answer = error),
  );
  while (answer === null) await clock.advance(0);
  await checking;
  return answer;
}

it.each(LOOPBACK)('on %s it listens, with and without tokens', async (host) => {
  expect(await check(host, {})).toBe('listens');
  expect(await check(host, { hasToken: true })).toBe('listens');
});

it.each(BEYOND)('on %j it wants a token, and TLS or the word that none is meant', async (host) => {
  const open = await check(host, { hasTls: true });
  expect(open).toMatchObject({
    code: 'ETCRON_LISTEN_REFUSED',
    message: expect.stringContaining('while there is no token') as string,
    hint: expect.stringContaining('etcron tokens create') as string,
  });
  expect(await check(host, { insecureHttp: true })).toMatchObject({ code: 'ETCRON_LISTEN_REFUSED' });
  expect(await check(host, { hasToken: true })).toMatchObject({
    message: expect.stringContaining('without TLS') as string,
    hint: expect.stringContaining('--insecure-http') as string,
  });
  expect(await check(host, { hasToken: true, hasTls: true })).toBe('listens');
  expect(await check(host, { hasToken: true, insecureHttp: true })).toBe('listens');
});
