/** Where the HTTP API of a worker listens, by its settings. */
import { isAbsolute, resolve } from 'node:path';
import { invalidSetting, type FindSetting } from './resolve-options.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ApiListenOptions extends ListenAddress {
  /** Somebody wrote the address: another one will not do. Otherwise the next free port does. */
  readonly isExplicit: boolean;
  /** The URL by which others reach it; null: made of the address. */
  readonly advertise: string | null;
  /** Files in PEM; null: clear text. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
  /** By which the certificates of other workers are verified, a file in PEM; null: the system's, and what stands in `tls.cert`. */
  readonly peerCa: string | null;
  /** Clear text on a network is wanted. */
  readonly insecureHttp: boolean;
}

export const DEFAULT_LISTEN: ListenAddress = { host: '127.0.0.1', port: 8470 };

/** `null`: no API. Throws ETCRON_CONFIG_INVALID. */
export function resolveApi(find: FindSetting): ApiListenOptions | null {
  const listen = find('listen');
  if (listen?.value === 'off') return null;
  const [cert, key] = [find('apiCert'), find('apiKey')];
  if ((cert === null) !== (key === null)) {
    const [given, other] = cert === null ? [key!, 'apiCert'] : [cert, 'apiKey'];
    throw invalidSetting(given.source, `needs ${other} beside it`, 'A certificate and its key go together.');
  }
  const clientCa = find('apiClientCa');
  if (clientCa !== null && cert === null)
    throw invalidSetting(
      clientCa.source,
      'needs apiCert and apiKey beside it: there are no certificates without TLS',
    );
  const peerCa = find('apiPeerCa');
  const path = (file: string): string => (isAbsolute(file) ? file : resolve(file));
  return {
    ...(listen?.value ?? DEFAULT_LISTEN),
    isExplicit: listen !== null,
    advertise: find('advertise')?.value ?? null,
    tls:
      cert && key
        ? { cert: path(cert.value), key: path(key.value), clientCa: clientCa && path(clientCa.value) }
        : null,
    peerCa: peerCa && path(peerCa.value),
    insecureHttp: find('insecureHttp')?.value ?? false,
  };
}
