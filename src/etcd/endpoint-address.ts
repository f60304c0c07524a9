/** `host:port`, `http://host:port` or `https://host:port`; the port is 2379 unless given; IPv6 in brackets. */
export interface EndpointAddress {
  /** `host:port`, as gRPC wants it. */
  readonly address: string;
  /** Null: not said, so whatever the other endpoints and the other settings ask for. */
  readonly scheme: 'http' | 'https' | null;
}

export const DEFAULT_PORT = 2379;

const ENDPOINT = /^(?:(https?):\/\/)?(\[[0-9a-f:.]+(?:%[\w.-]+)?\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?\/?$/i;

/** What an endpoint says, or what is wrong with it. */
export function parseEndpoint(text: string): EndpointAddress | { readonly problem: string } {
  const trimmed = text.trim();
  const match = ENDPOINT.exec(trimmed);
  if (!match) return { problem: problemOf(trimmed) };
  const [, scheme, host, port] = match;
  const portNumber = port === undefined ? DEFAULT_PORT : Number(port);
  if (portNumber < 1 || portNumber > 65_535)
    return { problem: `the port must be from 1 to 65535, not ${port}` };
  return {
    address: `${host!.toLowerCase()}:${portNumber}`,
    scheme: scheme === undefined ? null : (scheme.toLowerCase() as 'http' | 'https'),
  };
}

function problemOf(text: string): string {
  if (text === '') return 'an endpoint is empty';
  if (/^[0-9a-f:.]*::?[0-9a-f:.]*$/i.test(text) && text.split(':').length > 2) {
    return `an IPv6 address needs brackets: [${text}]:${DEFAULT_PORT}`;
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined && !/^https?$/i.test(scheme))
    return `${scheme}:// is not supported; write host:port, http:// or https://`;
  if (text.includes('@')) return 'an endpoint holds no user; there are settings for user and password';
  return `${JSON.stringify(text)} is no endpoint; write host:port, such as 127.0.0.1:${DEFAULT_PORT}`;
}
