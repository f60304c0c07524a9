/** The command line through the API of a server, on a real connection: the same commands, within what the token may. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiServer } from '../../src/api/server.js';
import type { ApiSettings } from '../../src/api/context.js';
import type { ApiApp } from '../../src/api/services.js';
import { connectCluster } from '../../src/cli/connection.js';
import { serverWarning } from '../../src/cli/server-settings.js';
import { put } from '../../src/etcd/txn.js';
import { formatRunId, parseRunId } from '../../src/etcd/keys.js';
import { createToken } from '../../src/operations/tokens/create-token.js';
import type { Role } from '../../src/operations/actor.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { certificates } from '../support/certificates.js';
import { due, GOOD_JOB, keys, TestCli, type CliResult } from './support.js';

let cli: TestCli;
let app: ApiApp;
let url: string;
let folder: string;
const tokens = new Map<Role, string>();

/** One command line, as somebody with a token of that role. */
function as(role: Role, ...args: string[]): Promise<CliResult> {
  const env = { ETCRON_TOKEN: tokens.get(role)! };
  cli.connect = (options) => connectCluster(options, env);
  return cli.run('--server', url, ...args);
}

async function listen(tls?: ApiSettings['tls']): Promise<string> {
  const { clock, etcd } = cli;
  app = await createApiServer({
    ...{ store: etcd.connect({ name: 'server' }), keys, clock, log: silentLogger(), worker: null },
    settings: { isLoopback: true, ...(tls ? { tls } : {}) },
  });
  return app.listen({ host: '127.0.0.1', port: 0 });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'etcron-server-'));
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  cli = new TestCli();
  cli.putLeader('w1-a');
  cli.putWorker('w1-a');
  cli.putWorker('w2-b');
  cli.putJob('a', GOOD_JOB);
  const { clock } = cli;
  const store = cli.etcd.connect({ name: 'setup' });
  for (const role of ['viewer', 'operator', 'admin'] as const) {
    const creating = createToken(
      { store, keys, clock, actor: { name: 'setup' } },
      { name: `${role}-token`, role, lifetimeMs: null },
    );
    await clock.settle();
    tokens.set(role, (await creating).text);
  }
  url = await listen();
});

afterEach(() => app.close());

describe('an admin', () => {
  test('applies, lists, exports, and deletes', async () => {
    const file = join(folder, 'jobs.yaml');
    await writeFile(file, 'jobs:\n  b: { schedule: "0 * * * *", command: "true" }\n');
    const applied = await as('admin', 'apply', '-f', file, '--yes');
    expect([applied.stderr, applied.code]).toEqual(['', 0]);
    expect(cli.job('b')).toBe('{"schedule":"0 * * * *","command":"true"}');
    const listed = await as('admin', 'jobs', 'list', '--json');
    expect(listed.json<{ jobs: { name: string }[] }>().jobs.map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await as('admin', 'export')).stdout).toContain('schedule: 0 * * * *');
    expect((await as('admin', 'apply', '-f', file, '--prune', '--yes')).code).toBe(0);
    expect((await as('admin', 'jobs', 'delete', 'b')).stdout).toBe('deleted b\n');
    expect((await as('admin', 'limits', 'set', 'db', '3')).stdout).toBe('db: 3\n');
    const audit = await as('admin', 'audit', '--json');
    expect(audit.stdout).toContain('admin-token');
    expect(audit.stdout).toContain('"via": "api"');
  });

  test('makes tokens, and revokes them', async () => {
    const made = await as('admin', 'tokens', 'create', 'ci', '--role', 'viewer');
    expect(made.stderr + made.stdout).toMatch(/etcron_[0-9a-f]{12}_/);
    expect((await as('admin', 'tokens', 'list')).stdout).toContain('ci');
    expect((await as('admin', 'tokens', 'revoke', 'ci')).code).toBe(0);
  });
});

describe('an operator', () => {
  test('runs, waits, shows, kills and reruns in the name of the token', async () => {
    cli.onFiring((run) => {
      const id = parseRunId(run)!;
      if (id.suffix?.startsWith('manual-')) cli.endRun(id);
    });
    const ran = await as('operator', 'run', 'a', '--wait');
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/^outcome +succeeded$/m)]);
    const listed = await as('operator', 'runs', 'list', '--json');
    const [{ run }] = listed.json<{ runs: [{ run: string }] }>().runs;
    const again = await as('operator', 'runs', 'rerun', run);
    expect(again.stdout).toContain('+rerun-');
    cli.putFiring(due('a', 5), { attempt: 1, node: 'w1-a' });
    const killed = await as('operator', 'runs', 'kill', formatRunId(due('a', 5)), '--no-wait');
    expect(killed.code).toBe(0);
    expect(cli.etcd.get(keys.kill(due('a', 5)))!.value.toString()).toContain('"by":"operator-token"');
  });

  test('pauses and resumes, drains and hands over', async () => {
    expect((await as('operator', 'jobs', 'pause', 'a', '--reason', 'moving')).stdout).toBe('paused a\n');
    expect(cli.job('a')).toContain('"reason":"moving"');
    expect((await as('operator', 'jobs', 'resume', 'a')).stdout).toBe('resumed a\n');
    expect(cli.job('a')).not.toContain('paused');
    expect((await as('operator', 'workers', 'drain', 'w2')).stdout).toBe('asked w2 to drain\n');
    expect((await as('operator', 'workers', 'resume', 'w2')).stdout).toBe('w2 takes runs again\n');
    cli.etcd.observe(({ events }) => {
      if (!events.some((event) => event.type === 'put' && event.kv.key === keys.handover)) return;
      setImmediate(() => {
        cli.etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.leader }] });
        cli.putLeader('w2-b');
      });
    });
    expect((await as('operator', 'workers', 'hand-over')).stdout).toContain('w2-b leads now');
  });

  test('changes no definition, no limit, no token', async () => {
    const file = join(folder, 'more.yaml');
    await writeFile(file, 'jobs:\n  c: { schedule: "0 * * * *", command: "true" }\n');
    const refused = [
      await as('operator', 'apply', '-f', file, '--yes'),
      await as('operator', 'jobs', 'delete', 'a'),
      await as('operator', 'limits', 'set', 'db', '3'),
      await as('operator', 'tokens', 'create', 'x', '--role', 'admin'),
      await as('operator', 'tokens', 'list'),
    ];
    for (const { code, stderr } of refused) {
      expect(stderr).toContain('[ETCRON_AUTH_FORBIDDEN]');
      expect(code).toBe(3);
    }
    expect([cli.job('a'), cli.job('c')]).toEqual([GOOD_JOB, undefined]);
  });
});

describe('a viewer', () => {
  test('looks, and changes nothing', async () => {
    for (const command of ['status', 'workers', 'jobs list', 'jobs get a', 'runs list', 'limits list'])
      expect((await as('viewer', ...command.split(' '))).code, command).toBe(0);
    for (const command of ['run a', 'jobs pause a', 'workers drain w1', 'workers hand-over']) {
      const { code, stderr } = await as('viewer', ...command.split(' '));
      expect(stderr, command).toMatch(/needs the role operator, and "viewer-token" has viewer/);
      expect(code).toBe(3);
    }
  });
});

describe('says clearly that', () => {
  const connect = (args: string[], env: Record<string, string> = {}): Promise<CliResult> => {
    cli.connect = (options) => connectCluster(options, env);
    return cli.run(...args);
  };

  test('nobody answers there', async () => {
    const { code, stderr } = await connect(['--server', 'http://127.0.0.1:1', 'status']);
    expect(code).toBe(3);
    expect(stderr).toContain(
      'no etcron server answers at http://127.0.0.1:1: nothing listens there [ETCRON_SERVER_UNREACHABLE]',
    );
  });

  test('a token is missing, wrong, or none', async () => {
    const missing = await connect(['--server', url, 'status']);
    expect(missing.stderr).toContain('this needs a token, and none was sent [ETCRON_AUTH_REQUIRED]');
    const wrong = await connect(['status'], {
      ETCRON_SERVER: url,
      ETCRON_TOKEN: tokens.get('viewer')!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    });
    expect(wrong.stderr).toContain('the token is wrong, or was revoked [ETCRON_AUTH_REQUIRED]');
    expect([missing.code, wrong.code]).toEqual([3, 3]);
    const none = await connect(['--server', url, 'status'], { ETCRON_TOKEN: 'two words' });
    expect(none.stderr).toContain('ETCRON_TOKEN holds no token [ETCRON_CONFIG_INVALID]');
    const file = join(folder, 'token');
    await writeFile(file, `${tokens.get('viewer')!}\n`);
    expect((await connect(['--server', url, '--token-file', file, 'status'])).code).toBe(0);
  });

  test('the address is none, or that of something else', async () => {
    const odd = await connect(['--server', 'w1:8470', 'status']);
    expect(odd.stderr).toContain('"w1:8470" is no URL of a server [ETCRON_CONFIG_INVALID]');
    const inUrl = await connect(['--server', `${url}/?token=x`, 'status']);
    expect(inUrl.stderr).toContain('the URL holds more than an address');
    const both = await connect(['--server', url, '--endpoints', 'e:2379', 'status']);
    expect(both.stderr).toContain('exclude each other [ETCRON_USAGE]');
    app.server.removeAllListeners('request');
    app.server.on('request', (_request, response) => response.writeHead(404).end('<html>'));
    const other = await connect(['--server', url, 'status']);
    expect(other.stderr).toContain('answered 404, and not as an etcron server does [ETCRON_SERVER_REFUSED]');
  });

  test('the TLS is not trusted, and trusts it with its authority', async () => {
    await app.close();
    const { ca, server } = await certificates(folder);
    url = await listen({
      minVersion: 'TLSv1.2',
      cert: await readFile(server.cert),
      key: await readFile(server.key),
    });
    const distrusted = await as('viewer', 'status');
    expect(distrusted.code).toBe(3);
    expect(distrusted.stderr).toMatch(/the certificate of https:.* is not trusted: .*\[ETCRON_SERVER_TLS\]/);
    expect((await as('viewer', 'status', '--ca', ca)).code).toBe(0);
    url = url.replace('https:', 'http:');
    expect((await as('viewer', 'status')).stderr).toContain('[ETCRON_SERVER_UNREACHABLE]');
  });

  test('it asks for a client certificate, and takes one', async () => {
    await app.close();
    const { ca, server, client } = await certificates(folder);
    url = await listen({
      minVersion: 'TLSv1.2',
      cert: await readFile(server.cert),
      key: await readFile(server.key),
      ...{ ca: await readFile(ca), requestCert: true, rejectUnauthorized: true },
    });
    const asked = await as('viewer', 'status', '--ca', ca);
    expect(asked.code).toBe(3);
    expect(asked.stderr).toMatch(/asks for a client certificate \[ETCRON_SERVER_TLS\]\n.*--server-cert/);
    const shown = ['--ca', ca, '--server-cert', client.cert, '--server-key', client.key];
    expect((await as('viewer', 'status', ...shown)).code).toBe(0);
    const stranger = await certificates(join(folder, 'stranger'));
    const refused = await as(
      ...(['viewer', 'status', '--ca', ca] as const),
      ...['--server-cert', stranger.client.cert, '--server-key', stranger.client.key],
    );
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/(?:does not accept|does it trust) the client certificate/);
    for (const [args, message] of [
      [['--server-cert', client.cert], '--server-cert needs --server-key beside it'],
      [['--server-cert', client.cert, '--server-key', server.key], 'is not the key of the certificate'],
      [['--server-cert', join(folder, 'none'), '--server-key', client.key], 'cannot read the certificate'],
    ] as const) {
      const wrong = await as('viewer', 'status', '--ca', ca, ...args);
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  test('a command works on etcd only', async () => {
    const { code, stderr } = await connect(['--server', url, 'dev', '--existing']);
    expect(code).toBe(2);
    expect(stderr).toContain('[ETCRON_USAGE]');
  });
});

test('the doctor looks at the cluster through a server as well', async () => {
  cli.putJob('nobody', '{"schedule":"* * * * *","command":"true","target":{"with":{"zone":"none"}}}');
  const { stdout, stderr } = await as('admin', 'doctor', '--quick');
  expect(stderr).not.toContain('[ETCRON_');
  expect(stdout).toMatch(/nobody/);
  const asViewer = await as('viewer', 'doctor', '--quick');
  expect(asViewer.stderr).not.toContain('[ETCRON_');
  expect(asViewer.stdout).toMatch(/nobody/);
});

test('the output of a run comes through a server as well', async () => {
  const stdout = { text: 'all well\n', totalBytes: 9, truncated: false };
  cli.putRun(due('a', 5), { attempts: 1, worker: 'w9', nodeId: 'w9-x', stdout });
  const shown = await as('viewer', 'logs', formatRunId(due('a', 5)));
  expect(shown.stderr).toContain('the worker w9, which had the output of');
  expect(shown.stdout).toContain('all well');
});

test('a token that goes to another machine in clear text is warned of, and nothing else is', () => {
  const warningFor = (text: string, token: string | null = 't') =>
    serverWarning({ url: new URL(text), token, ca: null });
  for (const url of ['http://w1:8470', 'http://10.0.0.1', 'http://127.0.0.1.evil.example', 'http://[::2]:1'])
    expect(warningFor(url), url).toMatch(/clear text/);
  for (const url of [
    'https://w1',
    'http://127.0.0.1:8470',
    'http://127.9.9.9',
    'http://localhost',
    'http://[::1]:8470',
  ])
    expect(warningFor(url), url).toBeNull();
  expect(warningFor('http://w1', null)).toBeNull();
});

test('the warning stands beside the results, and not among them', async () => {
  const env = { ETCRON_TOKEN: tokens.get('viewer')! };
  cli.connect = async (options) => ({ ...(await connectCluster(options, env)), warning: 'in clear text' });
  const { code, stdout, stderr } = await cli.run('--server', url, 'jobs', 'list', '--json');
  expect([code, stderr]).toEqual([0, 'warning: in clear text\n']);
  expect(() => JSON.parse(stdout) as unknown).not.toThrow();
});

test('a definition that is written directly by an operator must differ in its pause alone', async () => {
  const server = { url: new URL(url), token: tokens.get('operator')!, ca: null };
  const { connectRemote } = await import('../../src/api/remote/remote-store.js');
  const connecting = connectRemote(server, cli.clock);
  const { store } = await passing(connecting);
  const revision = cli.etcd.get(keys.job('a'))!.modRevision;
  const write = (text: string, seen: number) =>
    passing(
      store.txn({
        compare: [{ key: keys.job('a'), target: 'mod', op: '=', to: seen }],
        success: [put(keys.job('a'), text)],
      }),
    );
  const other = '{"schedule":"*/5 * * * *","command":"rm -rf /"}';
  await expect(write(other, revision)).rejects.toMatchObject({ code: 'ETCRON_AUTH_FORBIDDEN' });
  // A revision that the definition may get in the very next moment.
  await expect(write(other, revision + 1_000)).rejects.toMatchObject({ code: 'ETCRON_AUTH_FORBIDDEN' });
  await expect(write('not: [a job', revision)).rejects.toMatchObject({ code: 'ETCRON_JOB_INVALID' });
  expect(await write(other, revision - 1)).toMatchObject({ succeeded: false });
  await write('{"schedule":"*/5 * * * *","command":"true","paused":true}', revision);
  expect(cli.job('a')).toContain('"paused":true');
  await store.close();
});

/** The cluster's time goes on until it is done. */
async function passing<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  work.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  while (!isOver) {
    await cli.clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}
