/**
 * The certificate of the API, from files that are read again while it runs: whoever renews them has to restart nothing. What
 * cannot be used (half written, a key of another certificate) is reported, and what was read last stays.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../clock.js';
import { EtcronError, messageOf } from '../../errors.js';
import { reasonOf } from '../../etcd/config-file.js';
import type { Logger } from '../../telemetry/logger.js';

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  /** Of the authority that clients must have a certificate of; null: they need none. */
  readonly clientCa: string | null;
}

/** What an HTTPS server takes. */
export interface TlsServerOptions extends SecureContextOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  readonly minVersion: 'TLSv1.2';
}

const LOOK_INTERVAL_MS = 10_000;
const WARN_BEFORE_MS = 14 * 86_400_000;
const WARN_INTERVAL_MS = 24 * 3_600_000;

/** Rejects with ETCRON_FILE_UNREADABLE or ETCRON_CONFIG_INVALID, naming the file. */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsServerOptions> {
  const [cert, key] = [await read(paths.cert), await read(paths.key)];
  const ca = paths.clientCa === null ? undefined : await read(paths.clientCa);
  certificateIn(cert, paths.cert);
  if (ca !== undefined) certificateIn(ca, paths.clientCa!);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw unusable(`${paths.key} is not the key of ${paths.cert}, or no key: ${messageOf(error)}`, error);
  }
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion: 'TLSv1.2', ...clients };
}

/** Certificates of authorities; rejects likewise. */
export async function readAuthorities(path: string): Promise<Buffer> {
  const pem = await read(path);
  certificateIn(pem, path);
  return pem;
}

/** Looks at the files now and then, and gives `server` what is new. */
export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: TlsServerOptions;
  #timer: Timer | null = null;
  #stopped = false;
  #problem: string | null = null;
  #warnedAtMs = -Infinity;

  constructor(paths: TlsPaths, current: TlsServerOptions, clock: Clock, log: Logger) {
    this.#paths = paths;
    this.#current = current;
    this.#clock = clock;
    this.#log = log;
  }

  follow(server: Pick<Server, 'setSecureContext'>): void {
    this.#warnOfExpiry();
    this.#lookLater(server);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #lookLater(server: Pick<Server, 'setSecureContext'>): void {
    this.#timer = this.#clock.setTimer(LOOK_INTERVAL_MS, () => {
      void this.#look(server).then(() => {
        if (!this.#stopped) this.#lookLater(server);
      });
    });
  }

  async #look(server: Pick<Server, 'setSecureContext'>): Promise<void> {
    try {
      const next = await readTlsFiles(this.#paths);
      if (!isSame(next, this.#current) && !this.#stopped) {
        server.setSecureContext(next);
        this.#current = next;
        this.#warnedAtMs = -Infinity;
        const { validTo } = new X509Certificate(next.cert);
        this.#log.info({ file: this.#paths.cert, validTo }, 'the API has a new certificate');
      }
      this.#problem = null;
      this.#warnOfExpiry();
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem)
        this.#log.error(
          { reason: problem },
          'the new certificate of the API cannot be used; the old one stays',
        );
      this.#problem = problem;
    }
  }

  #warnOfExpiry(): void {
    const nowMs = this.#clock.now();
    const { validTo } = new X509Certificate(this.#current.cert);
    if (Date.parse(validTo) - nowMs > WARN_BEFORE_MS || nowMs - this.#warnedAtMs < WARN_INTERVAL_MS) return;
    this.#warnedAtMs = nowMs;
    this.#log.warn({ file: this.#paths.cert, validTo }, 'the certificate of the API expires soon; renew it');
  }
}

function isSame(a: TlsServerOptions, b: TlsServerOptions): boolean {
  const same = (one: Buffer | undefined, other: Buffer | undefined): boolean =>
    one === undefined || other === undefined ? one === other : one.equals(other);
  return same(a.cert, b.cert) && same(a.key, b.key) && same(a.ca, b.ca);
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new EtcronError('ETCRON_FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, {
      details: { file: path },
      cause: error,
    });
  }
}

function certificateIn(pem: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw unusable(`${path} holds no certificate in PEM: ${messageOf(error)}`, error);
  }
}

function unusable(message: string, cause: unknown): EtcronError {
  return new EtcronError('ETCRON_CONFIG_INVALID', message, { cause });
}
