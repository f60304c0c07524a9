/** A throw-away certificate authority for tests of TLS. In JavaScript, so that no `openssl` has to be installed. */
import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** Paths of PEM files. */
export interface Certificates {
  ca: string;
  server: { cert: string; key: string };
  /** Signed by the same authority; its common name is the etcd user under `--client-cert-auth` with auth enabled. */
  client: { cert: string; key: string };
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

type Keys = Awaited<ReturnType<typeof generateKeys>>;

/**
 * Writes `ca.pem`, and `server` and `client` as `.pem` and `-key.pem`, into `dir`. The server's certificate is for
 * 127.0.0.1 and localhost; etcd uses it as a client of itself too, so it carries both usages.
 */
export async function certificates(
  dir: string,
  options: { clientName?: string } = {},
): Promise<Certificates> {
  await mkdir(dir, { recursive: true });
  const caKeys = await generateKeys();
  const caName = 'CN=etcron test authority';
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: caName,
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issuer = { name: caName, keys: caKeys };
  const usage = x509.ExtendedKeyUsage;
  const path = await writePem(dir, 'ca.pem', ca.toString('pem'));
  return {
    ca: path,
    server: await issue(dir, 'server', issuer, 'localhost', [usage.serverAuth, usage.clientAuth]),
    client: await issue(dir, 'client', issuer, options.clientName ?? 'etcron', [usage.clientAuth]),
  };
}

async function issue(
  dir: string,
  file: string,
  issuer: { name: string; keys: Keys },
  commonName: string,
  usages: string[],
): Promise<{ cert: string; key: string }> {
  const keys = await generateKeys();
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: issuer.name,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    cert: await writePem(dir, `${file}.pem`, cert.toString('pem')),
    key: await writePem(dir, `${file}-key.pem`, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')),
  };
}

function generateKeys() {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
}

async function writePem(dir: string, name: string, pem: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `${pem}\n`, { mode: 0o600 });
  return path;
}
