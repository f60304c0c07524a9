/** Makes the API listen: whether it may, at which port, and how others reach it. */
import { hostname } from 'node:os';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { EtcronError, messageOf } from '../errors.js';
import type { ApiListenOptions } from '../node/api-options.js';
import { checkListen } from './auth/binding.js';
import { isLoopbackAddress } from './auth/origin.js';
import { readAuthorities, readTlsFiles, TlsFiles } from './auth/tls-files.js';
import type { ApiContext } from './context.js';
import { peerCaOf } from './output/peer-ca.js';
import { createApiServer } from './server.js';

export interface RunningApi {
  /** By which others reach it. */
  readonly url: string;
  close(): Promise<void>;
}

/** So many ports after the default one are tried. */
const MORE_PORTS = 20;
const EVERYWHERE = ['0.0.0.0', '::'];

/**
 * Rejects with ETCRON_LISTEN_REFUSED, with ETCRON_LISTEN_FAILED when the port is taken or is not ours to take, and with the codes
 * of the certificate's files.
 */
export async function openApi(
  context: Omit<ApiContext, 'settings'> & { readonly settings?: Partial<ApiContext['settings']> },
  listen: ApiListenOptions,
): Promise<RunningApi> {
  const { host, insecureHttp } = listen;
  await checkListen(context, { host, hasTls: listen.tls !== null, insecureHttp });
  const tls = listen.tls === null ? null : await readTlsFiles(listen.tls);
  const settings = {
    ...context.settings,
    isLoopback: isLoopbackAddress(host),
    ...(tls === null ? {} : { tls, peerCa: peerCaOf(tls.cert) }),
    ...(listen.peerCa === null ? {} : { peerCa: await readAuthorities(listen.peerCa) }),
  };
  for (let port = listen.port; ; port += 1) {
    const app = await createApiServer({ ...context, settings });
    try {
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (isTaken && !listen.isExplicit && port < listen.port + MORE_PORTS) continue;
      throw cannotListen(listen, error);
    }
    const { port: bound } = app.server.address() as AddressInfo;
    const files = tls && listen.tls && new TlsFiles(listen.tls, tls, context.clock, context.log);
    files?.follow(app.server as unknown as Server);
    return {
      url: listen.advertise ?? urlOf(host, bound, tls !== null),
      close: async () => {
        files?.stop();
        await app.close();
      },
    };
  }
}

function urlOf(host: string, port: number, isHttps: boolean): string {
  const name = EVERYWHERE.includes(host) ? hostname() : host.includes(':') ? `[${host}]` : host;
  return `${isHttps ? 'https' : 'http'}://${name}:${port}`;
}

function cannotListen({ host, port, isExplicit }: ApiListenOptions, error: unknown): EtcronError {
  const { code } = error as NodeJS.ErrnoException;
  const reason =
    code === 'EADDRINUSE'
      ? isExplicit
        ? 'another process has this port'
        : `this port and the ${MORE_PORTS} after it are taken`
      : code === 'EACCES'
        ? 'this user may not use this port'
        : code === 'EADDRNOTAVAIL'
          ? 'this machine has no such address'
          : messageOf(error);
  return new EtcronError('ETCRON_LISTEN_FAILED', `the API cannot listen on ${host}:${port}: ${reason}`, {
    hint: 'Name another address with --listen (ETCRON_LISTEN), or turn the API off with --listen off.',
    details: { host, port },
    cause: error,
  });
}
