/**
 * How to reach etcd, from three sources in this order: flags, `ETCRON_*` variables, the configuration file. Each setting
 * is taken from the first source that has it. Whatever is wrong is reported with where it was set.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { z } from 'zod';
import { EtcronError, messageOf } from '../errors.js';
import { ConfigFile, reasonOf } from './config-file.js';
import { CONNECTION_SETTINGS, type ConnectionSetting } from './connection-settings.js';
import type { EndpointAddress } from './endpoint-address.js';
import { DEFAULT_QUOTA_BYTES } from './database-size.js';
import { DEFAULT_CALL_DEADLINE_MS, DEFAULT_DIAL_DEADLINE_MS, type TlsMaterial } from './etcd-store.js';
import { DEFAULT_PREFIX } from './keys.js';

export interface ConnectionOptions {
  /** `host:port` each. */
  readonly endpoints: readonly string[];
  /** Null: clear text. */
  readonly tls: TlsMaterial | null;
  readonly credentials: { readonly user: string; readonly password: string } | null;
  readonly prefix: string;
  readonly dialDeadlineMs: number;
  readonly callDeadlineMs: number;
  /** Of etcd's database, which etcd itself does not tell. */
  readonly quotaBytes: number;
}

export interface ConnectionSources {
  readonly flags?: Readonly<Partial<Record<ConnectionSetting, unknown>>>;
  /** Default: `process.env`. An empty variable counts as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How messages call a flag; by default as the command line does. */
  readonly nameOf?: (setting: ConnectionSetting) => string;
  /** Default: `$ETCRON_CONFIG`, else `etcron.yaml` in `cwd` when there is one; null: no file. */
  readonly configPath?: string | null;
  readonly cwd?: string;
  /** Top-level keys of the file that belong to others. */
  readonly otherSections?: readonly string[];
}

export const DEFAULT_CONFIG_FILE = 'etcron.yaml';
const SECTION = 'etcd';
const NAMES = Object.keys(CONNECTION_SETTINGS) as ConnectionSetting[];

/** A value with where it came from. */
interface Found<T> {
  readonly value: T;
  /** `--cert`, `ETCRON_CERT` or `etcron.yaml:4`. */
  readonly source: string;
  readonly rank: number;
  /** Relative paths are meant from here. */
  readonly base: string;
}

type SettingValue<Name extends ConnectionSetting> = z.output<(typeof CONNECTION_SETTINGS)[Name]['schema']>;

/**
 * Reads and checks all sources. Rejects with `ETCRON_CONFIG_INVALID` for a wrong value and with
 * `ETCRON_FILE_UNREADABLE` for a file that cannot be read.
 */
export async function resolveConnectionOptions(sources: ConnectionSources = {}): Promise<ConnectionOptions> {
  const cwd = sources.cwd ?? process.cwd();
  const env = sources.env ?? process.env;
  const file = await openConfigFile(sources, env, cwd);
  file?.checkKeys([], [SECTION, ...(sources.otherSections ?? [])]);
  file?.checkKeys([SECTION], NAMES);
  const find = <Name extends ConnectionSetting>(name: Name): Found<SettingValue<Name>> | null =>
    findSetting(name, sources, env, file, cwd);

  const endpoints = find('endpoints');
  const tlsFiles = { cacert: find('cacert'), cert: find('cert'), key: find('key') };
  const secure = isSecure(endpoints, tlsFiles);
  return {
    endpoints: [...new Set(endpoints?.value.map(({ address }) => address) ?? ['127.0.0.1:2379'])],
    tls: secure ? await readTls(tlsFiles) : null,
    credentials: await readCredentials(find('user'), find('password'), find('passwordFile')),
    prefix: find('prefix')?.value ?? DEFAULT_PREFIX,
    dialDeadlineMs: find('dialTimeout')?.value ?? DEFAULT_DIAL_DEADLINE_MS,
    callDeadlineMs: find('callTimeout')?.value ?? DEFAULT_CALL_DEADLINE_MS,
    quotaBytes: find('quotaBytes')?.value ?? DEFAULT_QUOTA_BYTES,
  };
}

async function openConfigFile(
  sources: ConnectionSources,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Promise<ConfigFile | null> {
  if (sources.configPath === null) return null;
  const named = sources.configPath ?? (env.ETCRON_CONFIG || undefined);
  const file = await ConfigFile.read(
    named === undefined ? resolve(cwd, DEFAULT_CONFIG_FILE) : resolve(cwd, named),
  );
  if (file !== null || named === undefined) return file;
  const source = sources.configPath === undefined ? 'ETCRON_CONFIG' : '--config';
  throw new EtcronError('ETCRON_FILE_UNREADABLE', `${source}: cannot read ${named}: there is no such file`, {
    details: { file: named, source },
  });
}

function findSetting<Name extends ConnectionSetting>(
  name: Name,
  { flags = {}, nameOf }: ConnectionSources,
  env: Readonly<Record<string, string | undefined>>,
  file: ConfigFile | null,
  cwd: string,
): Found<SettingValue<Name>> | null {
  const { flag, variable, schema } = CONNECTION_SETTINGS[name];
  const path = [SECTION, name];
  const fromFile = file?.get(...path);
  let given: Found<unknown>;
  if (flags[name] !== undefined)
    given = { value: flags[name], source: nameOf?.(name) ?? flag, rank: 0, base: cwd };
  else if (env[variable]) given = { value: env[variable], source: variable, rank: 1, base: cwd };
  else if (file && fromFile !== undefined && fromFile !== null) {
    given = { value: fromFile, source: file.where(path), rank: 2, base: dirname(file.path) };
  } else return null;
  const parsed = schema.safeParse(given.value);
  if (parsed.success) return { ...given, value: parsed.data as SettingValue<Name> };
  const issue = parsed.error.issues[0]!;
  if (given.rank === 2) {
    const at = [...path, ...issue.path.filter((part) => typeof part !== 'symbol')];
    throw file!.invalid(at, `"${path.join('.')}": ${issue.message}`);
  }
  throw invalid(given.source, issue.message);
}

type TlsFiles = Record<'cacert' | 'cert' | 'key', Found<string> | null>;

function isSecure(endpoints: Found<EndpointAddress[]> | null, files: TlsFiles): boolean {
  const schemes = new Set(endpoints?.value.map(({ scheme }) => scheme));
  const source = endpoints?.source ?? 'endpoints';
  if (schemes.has('http') && schemes.has('https')) {
    throw invalid(
      source,
      'http:// and https:// endpoints cannot be mixed',
      'Members of one cluster serve clients alike.',
    );
  }
  const file = files.cacert ?? files.cert ?? files.key;
  if (schemes.has('http') && file) {
    throw invalid(
      source,
      `the endpoints are http://, but ${file.source} asks for TLS`,
      'Write https:// or leave the scheme out.',
    );
  }
  return schemes.has('https') || file !== null;
}

async function readTls({ cacert, cert, key }: TlsFiles): Promise<TlsMaterial> {
  if ((cert === null) !== (key === null)) {
    const [there, missing] = cert ? [cert, 'key'] : [key!, 'cert'];
    const { flag, variable } = CONNECTION_SETTINGS[missing as 'cert' | 'key'];
    throw invalid(
      there.source,
      `a client certificate needs both cert and key; ${missing} is not set`,
      `Set it with ${flag} or ${variable}.`,
    );
  }
  const material = {
    ca: cacert && (await readNamed(cacert)),
    cert: cert && (await readNamed(cert)),
    key: key && (await readNamed(key)),
  };
  if (cacert) checkCertificates(material.ca!, cacert);
  if (cert) {
    checkCertificates(material.cert!, cert);
    checkKey(material.cert!, material.key!, key!);
  }
  return material;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function checkCertificates(pem: Buffer, found: Found<string>): void {
  const certificates = pem.toString('latin1').match(CERTIFICATE) ?? [];
  if (certificates.length === 0)
    throw invalid(found.source, `${found.value} holds no certificate in PEM form`);
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    throw invalid(found.source, `${found.value} holds a broken certificate: ${messageOf(error)}`);
  }
}

/** OpenSSL notices what is no key, and a key that belongs to another certificate. */
function checkKey(cert: Buffer, key: Buffer, found: Found<string>): void {
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const mismatch = messageOf(error).includes('key values mismatch');
    const problem = mismatch
      ? 'does not belong to the certificate'
      : `cannot be used as a key: ${messageOf(error)}`;
    throw invalid(found.source, `${found.value} ${problem}`);
  }
}

async function readCredentials(
  user: Found<string> | null,
  password: Found<string> | null,
  passwordFile: Found<string> | null,
): Promise<ConnectionOptions['credentials']> {
  if (password && passwordFile && password.rank === passwordFile.rank) {
    throw invalid(
      password.source,
      `${passwordFile.source} gives the password, too`,
      'Set only one of the two.',
    );
  }
  const useFile = passwordFile !== null && (password === null || passwordFile.rank < password.rank);
  const secret = useFile ? passwordFile : password;
  if (user === null && secret === null) return null;
  if (user === null) throw invalid(secret!.source, 'a password without a user', userHint('user'));
  if (secret === null)
    throw invalid(user.source, `the user ${user.value} has no password`, userHint('passwordFile'));
  if (!useFile) return { user: user.value, password: secret.value };
  const content = (await readNamed(secret)).toString('utf8').replace(/\r?\n$/, '');
  if (content === '') throw invalid(secret.source, `${secret.value} is empty`);
  return { user: user.value, password: content };
}

function userHint(name: 'user' | 'passwordFile'): string {
  const { flag, variable } = CONNECTION_SETTINGS[name];
  return `Set it with ${flag} or ${variable}.`;
}

async function readNamed({ value, source, base }: Found<string>): Promise<Buffer> {
  const path = resolve(base, value);
  try {
    return await readFile(path);
  } catch (error) {
    throw new EtcronError('ETCRON_FILE_UNREADABLE', `${source}: cannot read ${path}: ${reasonOf(error)}`, {
      details: { file: path, source },
      cause: error,
    });
  }
}

function invalid(source: string, problem: string, hint?: string): EtcronError {
  return new EtcronError('ETCRON_CONFIG_INVALID', `${source}: ${problem}`, {
    details: { source },
    ...(hint === undefined ? {} : { hint }),
  });
}
