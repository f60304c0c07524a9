import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * By which the certificates of other workers are verified: where the file of our own holds one that nobody else has signed (it is
 * shared by all, or the authority stands behind it), by that beside the authorities that Node knows; undefined: by these alone.
 */
export function peerCaOf(own: Buffer): string[] | undefined {
  const certificates = own.toString('latin1').match(CERTIFICATE) ?? [];
  const roots = certificates.filter((pem) => {
    const certificate = new X509Certificate(pem);
    return certificate.checkIssued(certificate);
  });
  return roots.length === 0 ? undefined : [...rootCertificates, ...roots];
}
