/** `--server`: the cluster is reached through the API of a worker, or of `etcron serve`, instead of etcd. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { Option, type Command } from 'commander';
import type { ServerAddress } from '../api/remote/http-client.js';
import { EtcronError, messageOf } from '../errors.js';
import { quote } from '../jobs/printable.js';
import type { CliEnvironment, GlobalOptions } from './environment.js';

export function addServerOptions(program: Command): void {
  const add = (flags: string, text: string): void => {
    program.addOption(new Option(flags, text).helpGroup('Through a server, instead of etcd:'));
  };
  add('--server <url>', 'the API of any worker, such as https://w1:8470 (ETCRON_SERVER)');
  add('--token-file <file>', 'file that holds the token (ETCRON_TOKEN_FILE; ETCRON_TOKEN holds it itself)');
  add('--ca <file>', 'certificates of the authorities that the server is verified by, PEM (ETCRON_CA)');
  add('--server-cert <file>', 'certificate for a server that asks for one, PEM (ETCRON_SERVER_CERT)');
  add('--server-key <file>', 'its private key, PEM (ETCRON_SERVER_KEY)');
}

/**
 * Null: etcd itself. A flag that says where etcd is counts more than the variable ETCRON_SERVER. Rejects with ETCRON_USAGE,
 * ETCRON_CONFIG_INVALID or ETCRON_FILE_UNREADABLE.
 */
export async function serverAddress(
  options: GlobalOptions,
  env: CliEnvironment['env'],
): Promise<ServerAddress | null> {
  const flag = textOf(options.server);
  if (flag !== null && options.endpoints !== undefined) {
    throw new EtcronError('ETCRON_USAGE', '--server and --endpoints exclude each other', {
      hint: 'Name the server or etcd, not both.',
    });
  }
  const text = flag ?? (options.endpoints === undefined ? env.ETCRON_SERVER || null : null);
  if (text === null) return null;
  const url = parseServer(text, flag === null ? 'ETCRON_SERVER' : '--server');
  const caFile = textOf(options.ca) ?? (env.ETCRON_CA || null);
  return {
    url,
    token: await findToken(options, env),
    ca: caFile === null ? null : await read(caFile, 'certificates'),
    identity: await findIdentity(url, options, env),
  };
}

/** What somebody should know who reaches the cluster so; null: nothing. */
export function serverWarning({ url, token }: ServerAddress): string | null {
  if (token === null || url.protocol === 'https:' || isLoopback(url.hostname)) return null;
  return `the token goes to ${url.host} in clear text, where everybody on the way can read it: use https://`;
}

function isLoopback(hostname: string): boolean {
  return /^(?:(?:.*\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

async function findIdentity(
  url: URL,
  options: GlobalOptions,
  env: CliEnvironment['env'],
): Promise<NonNullable<ServerAddress['identity']> | null> {
  const cert = textOf(options.serverCert) ?? (env.ETCRON_SERVER_CERT || null);
  const key = textOf(options.serverKey) ?? (env.ETCRON_SERVER_KEY || null);
  if (cert === null && key === null) return null;
  if (cert === null || key === null) {
    const [given, other] =
      cert === null ? ['--server-key', '--server-cert'] : ['--server-cert', '--server-key'];
    throw new EtcronError('ETCRON_CONFIG_INVALID', `${given} needs ${other} beside it`, {
      hint: 'A certificate and its key go together.',
    });
  }
  if (url.protocol !== 'https:') {
    throw new EtcronError('ETCRON_CONFIG_INVALID', '--server-cert makes no sense without TLS', {
      hint: 'The URL of the server begins with https:// then.',
    });
  }
  const pair = { cert: await read(cert, 'certificate'), key: await read(key, 'private key') };
  try {
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new EtcronError(
      'ETCRON_CONFIG_INVALID',
      `${quote(key)} is not the key of the certificate ${quote(cert)}: ${messageOf(error)}`,
    );
  }
}

/** Throws ETCRON_USAGE for a command that has to be on etcd. */
export function refuseServer({ server }: GlobalOptions): void {
  if (server === undefined) return;
  throw new EtcronError('ETCRON_USAGE', 'this command works on etcd itself, and takes no --server', {
    hint: 'Say where etcd is: --endpoints.',
  });
}

function parseServer(text: string, source: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (!url || !isHttp) {
    throw new EtcronError('ETCRON_CONFIG_INVALID', `${source}: ${quote(text)} is no URL of a server`, {
      hint: 'Write it as https://w1:8470, or http://127.0.0.1:8470.',
    });
  }
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return url;
  throw new EtcronError('ETCRON_CONFIG_INVALID', `${source}: the URL holds more than an address`, {
    hint: 'The token goes into --token-file or ETCRON_TOKEN, never into a URL.',
  });
}

async function findToken(options: GlobalOptions, env: CliEnvironment['env']): Promise<string | null> {
  const file = textOf(options.tokenFile) ?? (env.ETCRON_TOKEN ? null : env.ETCRON_TOKEN_FILE || null);
  const token = (
    file === null ? (env.ETCRON_TOKEN ?? '') : (await read(file, 'token')).toString('utf8')
  ).trim();
  if (token === '' && file === null) return null;
  // What no header can hold is no token, and Node would show it in its error.
  if (/^[\x21-\x7e]{1,500}$/.test(token)) return token;
  throw new EtcronError('ETCRON_CONFIG_INVALID', `${file ?? 'ETCRON_TOKEN'} holds no token`, {
    hint: 'It holds the one line that "etcron tokens create" printed.',
  });
}

async function read(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new EtcronError(
      'ETCRON_FILE_UNREADABLE',
      `cannot read the ${what} in ${quote(file)}: ${messageOf(error)}`,
    );
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
