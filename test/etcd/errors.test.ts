import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { judge, toStoreError } from '../../src/etcd/errors.js';

const grpc = (code: status, details: string): Error =>
  Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details });

describe('judge', () => {
  it.each([
    // [status, text, code, may a write have been applied, transient, try another endpoint]
    [
      status.UNAVAILABLE,
      'No connection established. Last error: Error: connect ECONNREFUSED 1.2.3.4:1 (2026-01-01T00:00:00.000Z). Resolution note: ',
      'ETCRON_ETCD_UNREACHABLE',
      false,
      true,
      true,
    ],
    [status.UNAVAILABLE, 'Connection dropped', 'ETCRON_ETCD_UNREACHABLE', true, true, true],
    [status.UNAVAILABLE, 'etcdserver: no leader', 'ETCRON_ETCD_UNREACHABLE', false, true, true],
    [status.UNAVAILABLE, 'etcdserver: leader changed', 'ETCRON_ETCD_UNREACHABLE', true, true, true],
    [
      status.UNAVAILABLE,
      'etcdserver: request timed out, possibly due to previous leader failure',
      'ETCRON_ETCD_TIMEOUT',
      true,
      true,
      true,
    ],
    [
      status.DEADLINE_EXCEEDED,
      'Deadline exceeded after 1.0s,LB pick: 0.001s,remote_addr=127.0.0.1:1',
      'ETCRON_ETCD_TIMEOUT',
      true,
      true,
      true,
    ],
    [
      status.DEADLINE_EXCEEDED,
      'Deadline exceeded after 1.0s,Waiting for LB pick',
      'ETCRON_ETCD_TIMEOUT',
      false,
      true,
      true,
    ],
    [status.CANCELLED, 'Cancelled on client', 'ETCRON_ETCD_UNREACHABLE', true, true, true],
    [status.UNKNOWN, 'raft proposal dropped', 'ETCRON_ETCD_UNREACHABLE', false, true, true],
    [
      status.RESOURCE_EXHAUSTED,
      'etcdserver: too many requests',
      'ETCRON_ETCD_UNREACHABLE',
      false,
      true,
      true,
    ],
    [
      status.RESOURCE_EXHAUSTED,
      'etcdserver: mvcc: database space exceeded',
      'ETCRON_ETCD_NO_SPACE',
      false,
      true,
      false,
    ],
    [
      status.RESOURCE_EXHAUSTED,
      'Received message larger than max (9 vs 8)',
      'ETCRON_ETCD_REFUSED',
      true,
      false,
      false,
    ],
    [
      status.INVALID_ARGUMENT,
      'etcdserver: duplicate key given in txn request',
      'ETCRON_ETCD_REFUSED',
      false,
      false,
      false,
    ],
    [
      status.OUT_OF_RANGE,
      'etcdserver: mvcc: required revision has been compacted',
      'ETCRON_ETCD_REFUSED',
      false,
      false,
      false,
    ],
    [status.NOT_FOUND, 'etcdserver: requested lease not found', 'ETCRON_LEASE_LOST', false, false, false],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'ETCRON_ETCD_AUTH', false, false, false],
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', 'ETCRON_ETCD_AUTH', false, false, false],
  ])('%s %s', (code, details, expected, maybeApplied, transient, elsewhere) => {
    const failure = judge(grpc(code, details));
    expect(failure.elsewhere).toBe(elsewhere);
    const error = toStoreError({ operation: 'txn', write: true }, failure, [['host:1', failure.reason]]);
    expect(error).toMatchObject({ code: expected, maybeApplied, transient });
    expect(error.message).toContain('host:1');
    expect(toStoreError({ operation: 'range', write: false }, failure, []).maybeApplied).toBe(false);
  });

  it.each([
    ['connect ECONNREFUSED 127.0.0.1:1', 'connection refused'],
    ['getaddrinfo ENOTFOUND nowhere', 'the host name cannot be resolved'],
    ['self-signed certificate in certificate chain', /not signed by an authority that is trusted here/],
    ['certificate has expired', 'the certificate of etcd has expired'],
    [
      "Hostname/IP does not match certificate's altnames: IP: 1.2.3.4 is not in the cert's list",
      /not valid for this host name/,
    ],
    ['something new', 'something new'],
  ])('explains %s', (cause, reason) => {
    const details = `No connection established. Last error: ${cause} (2026-01-01T00:00:00.000Z). Resolution note: `;
    const found = judge(grpc(status.UNAVAILABLE, details)).reason;
    if (typeof reason === 'string') expect(found).toBe(reason);
    else expect(found).toMatch(reason);
  });
});
