import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EtcdAdmin } from '../../chaos/etcd-admin.js';
import { ChaosEtcd } from '../../chaos/etcd-cluster.js';
import { etcdctl, type EtcdMember } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const QUOTA_BYTES = 4 * 1024 * 1024;

const ctl = (member: EtcdMember, ...args: string[]): Promise<string> =>
  etcdctl(args, { endpoints: [member.endpoint] });
const get = (member: EtcdMember, key: string): Promise<string> =>
  ctl(member, 'get', key, '--print-value-only');
const failsWithin = ['--command-timeout', '2s'];

/** Waits until every member shows the value on a read of its own data alone. */
async function allHave(etcd: ChaosEtcd, key: string, value: string): Promise<void> {
  for (const member of etcd.members) {
    await waitUntil(
      async () => (await ctl(member, 'get', key, '--print-value-only', '--consistency', 's')) === value,
      { what: `${member.name} to have ${key}` },
    );
  }
}

describe('a cluster of three', () => {
  let etcd: ChaosEtcd;
  beforeAll(async () => {
    etcd = await ChaosEtcd.start({ quotaBytes: QUOTA_BYTES });
  });
  afterEach(() => etcd.healPeers());
  afterAll(() => etcd.stop());

  const others = (member: EtcdMember): EtcdMember[] => etcd.members.filter((each) => each !== member);

  it('an isolated leader loses its quorum, the others elect one of themselves, and all agree in the end', async () => {
    const old = await etcd.leader();
    await ctl(old, 'put', '/a', 'before');
    etcd.isolate(old);
    await expect(ctl(old, 'get', '/a', ...failsWithin)).rejects.toThrow(/deadline exceeded|no leader/);
    const next = await etcd.leader();
    expect(others(old)).toContain(next);
    await ctl(next, 'put', '/a', 'meanwhile');
    expect(await ctl(old, 'get', '/a', '--print-value-only', '--consistency', 's')).toBe('before');
    etcd.healPeers();
    await allHave(etcd, '/a', 'meanwhile');
  });

  it('nothing of an isolated follower reaches the leader: its lease keepalives do not either', async () => {
    const [follower, other] = others(await etcd.leader());
    const [, lease] = /lease (\w+) granted/.exec(await ctl(other!, 'lease', 'grant', '3'))!;
    await ctl(other!, 'put', '/leased', 'x', '--lease', lease!);
    // Through the leader, whom the follower asks on a connection that does not say whose it is.
    const keepAlive = (): Promise<string> => ctl(follower!, 'lease', 'keep-alive', '--once', lease!);
    expect(await keepAlive()).toContain('keepalived');
    etcd.isolate(follower!);
    // For a moment it does not know yet that it is alone.
    const late = keepAlive().catch(() => 'failed');
    await waitUntil(async () => (await get(other!, '/leased')) === '', { what: 'the lease to expire' });
    etcd.healPeers();
    expect(await late).not.toContain('keepalived');
  });

  it('a follower cut off from the leader alone lacks it, and the third, whom both still reach, keeps it in office', async () => {
    const leader = await etcd.leader();
    const [cutOff, third] = others(leader);
    etcd.partition(leader, cutOff!, 'cut');
    await expect(ctl(cutOff!, 'get', '/a', ...failsWithin)).rejects.toThrow(/deadline exceeded|no leader/);
    await ctl(third!, 'put', '/third', 'x');
    expect(await etcd.leader()).toBe(leader);
    etcd.healPeers();
    await allHave(etcd, '/third', 'x');
  });

  it('leadership moves on request', async () => {
    const old = await etcd.leader();
    const next = await etcd.transferLeader();
    expect(next).not.toBe(old);
    expect(await etcd.leader()).toBe(next);
    expect(await etcd.transferLeader(old)).toBe(old);
  });

  it('a wiped member comes back as a new one with all data; what failed for lack of a quorum is completed', async () => {
    const member = await etcd.leader();
    const [second, third] = others(member);
    await ctl(member, 'put', '/kept', 'yes');
    const admin = new EtcdAdmin(second!.endpoint);
    const idOf = async (): Promise<string> =>
      (await admin.members()).find(({ name }) => name === member.name)!.ID;
    const before = await idOf();

    await third!.kill();
    await expect(etcd.wipe(member, 500)).rejects.toThrow(
      `could not replace ${member.name} within 0.5 s: ${second!.name}: `,
    );
    await expect(etcd.leader(0)).rejects.toThrow('could not find a leader within 0 s');
    await third!.restart({ waitHealthy: false });
    await etcd.wipe(member);

    expect(await get(member, '/kept')).toBe('yes');
    expect(await idOf()).not.toBe(before);
    expect(await admin.members()).toHaveLength(3);
    // It counts for the quorum.
    await third!.kill();
    await ctl(member, 'put', '/kept', 'still');
    await third!.restart();
  });

  it('a full quota refuses writes, and is cleared while a member is down at first', async () => {
    await etcd.fillToQuota();
    const [first, , last] = etcd.members;
    await expect(ctl(first!, 'put', '/b', '1')).rejects.toThrow(/database space exceeded/);
    await last!.kill();
    const clearing = etcd.clearQuota();
    await last!.restart();
    await clearing;
    await ctl(first!, 'put', '/b', '1');
    expect(await ctl(first!, 'alarm', 'list')).toBe('');
    for (const { answer } of await etcd.status())
      expect(Number(answer?.dbSize)).toBeLessThan(QUOTA_BYTES / 2);
  });

  it('a compaction forgets history', async () => {
    const [member] = etcd.members;
    await ctl(member!, 'put', '/c', '1');
    const revision = await etcd.compact();
    await expect(ctl(member!, 'get', '/c', '--rev', String(Number(revision) - 1))).rejects.toThrow(
      /compacted/,
    );
    await etcd.defragment(member!);
  });
});
