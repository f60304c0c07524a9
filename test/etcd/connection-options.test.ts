import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcronError } from '../../src/errors.js';
import { resolveConnectionOptions, type ConnectionSources } from '../../src/etcd/connection-options.js';
import { certificates, type Certificates } from '../support/certificates.js';

let root: string;
let cwd: string;
let pem: Certificates;
let counter = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'etcron-options-'));
  pem = await certificates(join(root, 'pem'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  cwd = join(root, String(++counter));
  await mkdir(cwd);
});

const write = (name: string, text: string): Promise<void> => writeFile(join(cwd, name), text);
const resolveIn = (sources: ConnectionSources = {}) => resolveConnectionOptions({ cwd, env: {}, ...sources });

/** Code, message (with the folder left out) and hint. */
async function problem(
  sources: ConnectionSources = {},
): Promise<{ code: string; message: string; hint: string }> {
  const error = await resolveIn(sources).then(
    () => undefined,
    (rejected: unknown) => rejected,
  );
  if (!(error instanceof EtcronError)) throw new Error('expected an EtcronError', { cause: error });
  return { code: error.code, message: error.message.replaceAll(`${cwd}/`, ''), hint: error.hint ?? '' };
}

describe('resolveConnectionOptions', () => {
  it('has defaults', async () => {
    expect(await resolveIn()).toEqual({
      endpoints: ['127.0.0.1:2379'],
      tls: null,
      credentials: null,
      prefix: '/cron',
      dialDeadlineMs: 3_000,
      callDeadlineMs: 3_000,
      quotaBytes: 2 ** 31,
    });
  });

  it('takes each setting from the first source that has it: flag, variable, file', async () => {
    await write(
      'etcron.yaml',
      'etcd:\n  endpoints: [file:1, file:2]\n  prefix: /file\n  callTimeout: 7s\n  dialTimeout: 8s\n',
    );
    const env = {
      ETCRON_ENDPOINTS: 'env:1',
      ETCRON_PREFIX: '/env',
      ETCRON_CALL_TIMEOUT: '',
      ETCRON_DIAL_TIMEOUT: '1500ms',
    };
    expect(await resolveIn({ env, flags: { endpoints: 'flag:1, flag:2,flag:1' } })).toMatchObject({
      endpoints: ['flag:1', 'flag:2'],
      prefix: '/env',
      callDeadlineMs: 7_000,
      dialDeadlineMs: 1_500,
    });
    expect(await resolveIn()).toMatchObject({ endpoints: ['file:1', 'file:2'], prefix: '/file' });
  });

  it('reads the file that --config or ETCRON_CONFIG names, and only that one', async () => {
    await write('etcron.yaml', 'etcd: {prefix: /default}');
    await write('other.yaml', 'etcd: {prefix: /other}');
    await write('third.yaml', '# nothing set\n');
    expect(await resolveIn({ env: { ETCRON_CONFIG: 'other.yaml' } })).toMatchObject({ prefix: '/other' });
    expect(await resolveIn({ env: { ETCRON_CONFIG: 'other.yaml' }, configPath: 'third.yaml' })).toMatchObject(
      { prefix: '/cron' },
    );
    expect(await problem({ configPath: 'none.yaml' })).toMatchObject({
      code: 'ETCRON_FILE_UNREADABLE',
      message: '--config: cannot read none.yaml: there is no such file',
    });
    expect((await problem({ env: { ETCRON_CONFIG: 'none.yaml' } })).message).toMatch(/^ETCRON_CONFIG: /);
    await mkdir(join(cwd, 'folder.yaml'));
    expect((await problem({ configPath: 'folder.yaml' })).message).toContain('it is a directory');
  });

  it.each([
    [
      { flags: { endpoints: 'a:1,b:x' } },
      '--endpoints: "b:x" is no endpoint; write host:port, such as 127.0.0.1:2379',
    ],
    [{ flags: { endpoints: '' } }, '--endpoints: an endpoint is empty'],
    [{ env: { ETCRON_PREFIX: 'cron' } }, /^ETCRON_PREFIX: must begin with "\/"/],
    [{ env: { ETCRON_PREFIX: '/cron/' } }, /^ETCRON_PREFIX: must begin with "\/", not end with it/],
    [{ flags: { callTimeout: '3' } }, /^--call-timeout: write a duration/],
    [{ flags: { dialTimeout: '1h' } }, '--dial-timeout: must be from 100ms to 10m'],
    [
      { flags: { endpoints: 'http://a,https://b' } },
      '--endpoints: http:// and https:// endpoints cannot be mixed',
    ],
    [{ flags: { user: 'u' } }, '--user: the user u has no password'],
    [{ env: { ETCRON_PASSWORD: 'p' } }, 'ETCRON_PASSWORD: a password without a user'],
    [
      { flags: { user: 'u' }, env: { ETCRON_PASSWORD: 'p', ETCRON_PASSWORD_FILE: 'f' } },
      'ETCRON_PASSWORD: ETCRON_PASSWORD_FILE gives the password, too',
    ],
  ] as [ConnectionSources, string | RegExp][])(
    'names the source of what is wrong: %j',
    async (sources, message) => {
      const found = await problem(sources);
      expect(found.code).toBe('ETCRON_CONFIG_INVALID');
      if (typeof message === 'string') expect(found.message).toBe(message);
      else expect(found.message).toMatch(message);
    },
  );

  it.each([
    [
      'etcd:\n  endpoints:\n    - a:1\n    - b:x\n',
      'etcron.yaml:4: "etcd.endpoints": "b:x" is no endpoint',
      '',
    ],
    ['etcd:\n  endpoints: 5\n', 'etcron.yaml:2: "etcd.endpoints": must be a list of endpoints', ''],
    ['etcd:\n  endpoints: []\n', 'etcron.yaml:2: "etcd.endpoints": needs at least one endpoint', ''],
    ['\netcd:\n  prefix: 7\n', 'etcron.yaml:3: "etcd.prefix": must be text', ''],
    ['etcd:\n  callTimeout: 3\n', 'etcron.yaml:2: "etcd.callTimeout": write a duration', ''],
    [
      'etcd:\n  prefix: /a\n  endpoint: a\n',
      'etcron.yaml:3: "etcd.endpoint" is no setting',
      'Did you mean "endpoints"?',
    ],
    ['etc:\n  prefix: /a\n', 'etcron.yaml:1: "etc" is no setting', 'Did you mean "etcd"?'],
    ['etcd: /cron\n', 'etcron.yaml:1: "etcd" must be a mapping', ''],
    ['- etcd\n', 'etcron.yaml:1: the file must be a mapping', ''],
    ['etcd: {\n  prefix: /a\n', 'etcron.yaml:', ''],
    ['etcd:\n  prefix: /a\n  prefix: /b\n', 'etcron.yaml:3: Map keys must be unique', ''],
  ])('names file and line of what is wrong: %j', async (text, message, hint) => {
    await write('etcron.yaml', text);
    const found = await problem();
    expect(found.code).toBe('ETCRON_CONFIG_INVALID');
    expect(found.message.slice(0, message.length)).toBe(message);
    if (hint) expect(found.hint).toBe(hint);
  });

  it('lets other sections of the file be', async () => {
    await write('etcron.yaml', 'worker: {capacity: 3}\netcd: {prefix: /a}\n');
    expect(await resolveIn({ otherSections: ['worker'] })).toMatchObject({ prefix: '/a' });
    expect((await problem()).message).toContain('"worker" is no setting');
  });

  describe('TLS', () => {
    it('is on with https:// or a certificate, and reads files relative to where they were named', async () => {
      expect((await resolveIn({ flags: { endpoints: 'https://a' } })).tls).toEqual({
        ca: null,
        cert: null,
        key: null,
      });
      await mkdir(join(cwd, 'conf'));
      await write(
        'conf/etcron.yaml',
        'etcd: {cacert: ../../pem/ca.pem, cert: ../../pem/client.pem, key: ../../pem/client-key.pem}',
      );
      const { tls } = await resolveIn({ configPath: 'conf/etcron.yaml' });
      for (const part of [tls!.ca, tls!.cert, tls!.key]) expect(part!.toString()).toContain('-----BEGIN');
    });

    it('needs both certificate and key, and that they belong together', async () => {
      expect(await problem({ flags: { cert: pem.client.cert } })).toMatchObject({
        message: '--cert: a client certificate needs both cert and key; key is not set',
        hint: 'Set it with --key or ETCRON_KEY.',
      });
      expect((await problem({ env: { ETCRON_KEY: pem.client.key } })).message).toMatch(
        /^ETCRON_KEY: .* cert is not set$/,
      );
      const { message } = await problem({ flags: { cert: pem.client.cert, key: pem.server.key } });
      expect(message).toMatch(/^--key: .*server-key\.pem does not belong to the certificate$/);
    });

    it('says which file cannot be used, and why', async () => {
      expect(await problem({ env: { ETCRON_CACERT: 'none.pem' } })).toMatchObject({
        code: 'ETCRON_FILE_UNREADABLE',
        message: 'ETCRON_CACERT: cannot read none.pem: there is no such file',
      });
      await write('text.pem', 'hello');
      expect((await problem({ flags: { cacert: 'text.pem' } })).message).toBe(
        '--cacert: text.pem holds no certificate in PEM form',
      );
      await write('broken.pem', '-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n');
      expect((await problem({ flags: { cacert: 'broken.pem' } })).message).toMatch(
        /^--cacert: broken\.pem holds a broken certificate: /,
      );
    });

    it('contradicts http://', async () => {
      expect((await problem({ flags: { endpoints: 'http://a', cacert: pem.ca } })).message).toBe(
        '--endpoints: the endpoints are http://, but --cacert asks for TLS',
      );
    });
  });

  describe('credentials', () => {
    it('come from any source, the password also from a file', async () => {
      await write('secret', 'p w\n');
      const expected = { user: 'u', password: 'p w' };
      const from = async (sources: ConnectionSources) => (await resolveIn(sources)).credentials;
      expect(await from({ flags: { user: 'u', passwordFile: 'secret' } })).toEqual(expected);
      expect(await from({ env: { ETCRON_USER: 'u', ETCRON_PASSWORD: 'p w' } })).toEqual(expected);
      // The earlier source wins, whichever of the two forms it uses.
      expect(
        await from({ flags: { user: 'u', passwordFile: 'secret' }, env: { ETCRON_PASSWORD: 'no' } }),
      ).toEqual(expected);
      expect(
        await from({ flags: { user: 'u', password: 'p w' }, env: { ETCRON_PASSWORD_FILE: 'none' } }),
      ).toEqual(expected);
    });

    it('are never part of a message', async () => {
      await write('etcron.yaml', 'etcd:\n  password: hunter2\n');
      const found = await problem();
      expect(JSON.stringify(found)).not.toContain('hunter2');
      await write('empty', '\n');
      expect((await problem({ flags: { user: 'u', passwordFile: 'empty' } })).message).toBe(
        '--password-file: empty is empty',
      );
    });
  });
});
