import { describe, expect, it } from 'vitest';
import { databaseProblem, DEFAULT_QUOTA_BYTES, sizeText } from '../../src/etcd/database-size.js';
import type { EndpointStatus } from '../../src/etcd/store.js';

const MIB = 2 ** 20;

function member(sizeMiB: number, more: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    ...{ endpoint: 'a:1', version: '3.5.0', isLeader: true, memberId: '1', raftIndex: '1', isFull: false },
    ...{ dbSizeBytes: sizeMiB * MIB, dbInUseBytes: sizeMiB * MIB, quotaBytes: 1_000 * MIB },
    ...more,
  };
}

describe("etcd's database", () => {
  it('is no problem while every member has room', () => {
    expect(databaseProblem([])).toBeNull();
    expect(databaseProblem([member(799), member(1)])).toBeNull();
  });

  it('is told from 80 % of the quota on, of the fullest member', () => {
    const problem = databaseProblem([member(1), member(800, { endpoint: 'b:2' })]);
    expect(problem).toMatchObject({ isFull: false });
    expect(problem!.message).toContain('on b:2 fills 800.0 MiB, 80 % of 1000.0 MiB');
    expect(problem!.message).toContain('keep less history');
  });

  it('is to be defragmented where most of it is empty', () => {
    expect(databaseProblem([member(900, { dbInUseBytes: 100 * MIB })])!.message).toContain('etcdctl defrag');
  });

  it('is full when etcd says so, whatever the quota is thought to be', () => {
    const problem = databaseProblem([member(1, { quotaBytes: DEFAULT_QUOTA_BYTES, isFull: true })]);
    expect(problem).toMatchObject({ isFull: true });
    expect(problem!.message).toContain('etcdctl alarm disarm');
  });

  it('has a size', () => {
    expect(sizeText(member(155, { quotaBytes: DEFAULT_QUOTA_BYTES }))).toBe('155.0 MiB, 7 % of 2048.0 MiB');
  });
});
