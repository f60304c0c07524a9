import { messageOf } from '../errors.js';

/** Why no answer came, in words: the system's own name the call that failed, not what is wrong. */
export function explainHttpFailure(error: unknown, { protocol, hostname, host }: URL): string {
  const code = codeOf(error);
  const place = JSON.stringify(host);
  switch (code) {
    case 'ENOTFOUND':
      return `the name ${JSON.stringify(hostname)} is not known (DNS)`;
    case 'EAI_AGAIN':
      return `the name ${JSON.stringify(hostname)} could not be looked up: no DNS server answered`;
    case 'ECONNREFUSED':
      return `connection refused by ${place}: nothing listens there`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `the connection to ${place} was closed before the answer was there`;
    case 'ETIMEDOUT':
      return `no connection to ${place}: it did not answer`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `no way to ${place}: the network cannot reach it`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `${place} does not speak TLS as expected: should it be http://?`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${place} is for another name`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${place} has expired`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${place} is not valid yet`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `this worker does not trust the issuer of the certificate of ${place} (NODE_EXTRA_CA_CERTS names more)`;
    case 'HPE_HEADER_OVERFLOW':
      return `the headers that ${place} answered are too long`;
    default:
      if (code.startsWith('HPE_')) {
        const tls = protocol === 'http:' ? ': should it be https://?' : '';
        return `what ${place} answered is not HTTP${tls}`;
      }
      return `the request to ${place} failed: ${messageOf(error)}`;
  }
}

/** Where several addresses were tried, each with an error of its own, that of the first. */
function codeOf(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: readonly unknown[] };
  if (typeof code === 'string') return code;
  return errors?.[0] === undefined ? '' : codeOf(errors[0]);
}
