/**
 * A real etcd cluster whose members can be killed, frozen, parted from one another, wiped and filled up. What concerns one
 * process (`kill`, `pause`, `resume`, `restart`) is done on its member; what concerns the cluster is here.
 *
 * Clients reach the members at their endpoints directly; links for them are the harness's own. The members reach one
 * another through a `PeerNetwork`. Every call is repeated until its deadline, at each member in turn, so it needs a quorum by
 * then and not from the start; what it leaves when it fails, another call of the same kind completes.
 */
import {
  startEtcdCluster,
  type EtcdMember,
  type RunningEtcdCluster,
  type StartEtcdOptions,
} from '../test/support/etcd.js';
import type { TcpPathOptions } from '../test/support/tcp-path.js';
import { EtcdAdmin, withinDeadline, type StatusAnswer } from './etcd-admin.js';
import { PeerNetwork } from './peer-network.js';

/** Of calls that a healthy cluster answers at once. */
const DEADLINE_MS = 30_000;
/** Of calls that move data. */
const LONG_DEADLINE_MS = 90_000;
const STATUS_TIMEOUT_MS = 2_000;
/** Outside of every prefix that etcron is given. */
const FILL_PREFIX = '/chaos-fill/';
/** etcd takes requests of up to 1.5 MiB. */
const FILL_VALUE_BYTES = 1024 * 1024;
const NO_SPACE = 'NOSPACE';

export interface ChaosEtcdOptions extends Omit<StartEtcdOptions, 'peerFront' | 'onSpawn' | 'tls'> {
  /** Default 3. */
  size?: number;
  /** Size of the database beyond which etcd takes no more writes. Default 64 MiB. */
  quotaBytes?: number;
  /** Clock and randomness of the paths between members. */
  network?: TcpPathOptions;
}

/** `silence`: nothing passes, and what was sent comes after the heal; `cut`: connections are reset. */
export type PartitionKind = 'silence' | 'cut';

export interface MemberStatus {
  readonly member: EtcdMember;
  /** Null when it does not answer. */
  readonly answer: StatusAnswer | null;
}

export class ChaosEtcd {
  private constructor(
    private readonly cluster: RunningEtcdCluster,
    private readonly network: PeerNetwork,
    private readonly quotaBytes: number,
  ) {}

  static async start(options: ChaosEtcdOptions = {}): Promise<ChaosEtcd> {
    const { size = 3, quotaBytes = 64 * 1024 * 1024, network: paths, ...rest } = options;
    const network = new PeerNetwork(paths);
    try {
      const cluster = await startEtcdCluster(size, {
        ...rest,
        extraArgs: ['--quota-backend-bytes', String(quotaBytes), ...(options.extraArgs ?? [])],
        peerFront: (member, target) => network.front(member, target),
        onSpawn: (member, pid) => network.runsAs(member, pid),
      });
      return new ChaosEtcd(cluster, network, quotaBytes);
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  get members(): readonly EtcdMember[] {
    return this.cluster.members;
  }

  get version(): string {
    return this.members[0]!.binary.version;
  }

  /** Client URLs of all members, in their order. */
  get endpoints(): readonly string[] {
    return this.cluster.endpoints;
  }

  /** Ends everything. Idempotent. */
  async stop(): Promise<void> {
    // In order it would take seconds: the leader looks for a successor among members that end as well.
    await Promise.all(this.members.filter(({ running }) => running).map((member) => member.kill()));
    await this.cluster.stop();
    await this.network.stop();
  }

  /** Parts two members from one another; both still reach all others. */
  partition(a: EtcdMember, b: EtcdMember, kind: PartitionKind = 'silence'): void {
    for (const path of this.network.between(a.name, b.name)) path[kind]();
  }

  /** Parts one member from all others. Its clients still reach it. */
  isolate(member: EtcdMember, kind: PartitionKind = 'silence'): void {
    for (const other of this.members) if (other !== member) this.partition(member, other, kind);
  }

  /** From now on what members send to one another takes `ms` plus up to `jitterMs`, each way. */
  slowPeers(ms: number, jitterMs = 0): void {
    for (const path of this.network.all()) path.delay(ms, jitterMs);
  }

  /** From now on what members send to one another stalls, or breaks the connection, with this chance per chunk. */
  lossyPeers(chance: number): void {
    for (const path of this.network.all()) path.lossy(chance);
  }

  /** Ends all that was done to the paths between members. */
  healPeers(): void {
    for (const path of this.network.all()) path.heal();
  }

  /** What each member says at this moment. */
  async status(): Promise<MemberStatus[]> {
    return Promise.all(
      this.members.map(async (member) => ({
        member,
        answer: await new EtcdAdmin(member.endpoint, STATUS_TIMEOUT_MS).status().catch(() => null),
      })),
    );
  }

  /** The member that a majority takes for its leader: for about a second after its isolation, still the old one. */
  async leader(deadlineMs = DEADLINE_MS): Promise<EtcdMember> {
    return withinDeadline('find a leader', deadlineMs, async () => {
      const answers = await this.status();
      for (const { member, answer } of answers) {
        const id = answer?.header.member_id;
        const votes = answers.filter((each) => id !== undefined && each.answer?.leader === id);
        if (votes.length > this.members.length / 2) return member;
      }
      throw new Error('no majority of the members agrees on one');
    });
  }

  /** Hands leadership to `to`, or to any other member that answers. Resolves with the new leader. */
  async transferLeader(to?: EtcdMember, deadlineMs = DEADLINE_MS): Promise<EtcdMember> {
    let target = to;
    return withinDeadline('transfer the leadership', deadlineMs, async () => {
      const leader = await this.leader(0);
      if (leader === target) return leader;
      const found = (await this.status()).find(
        ({ member, answer }) => answer && member !== leader && (!to || member === to),
      );
      if (!found?.answer) throw new Error(`${to?.name ?? 'no other member'} does not answer`);
      target = found.member;
      await new EtcdAdmin(leader.endpoint).moveLeader(found.answer.header.member_id);
      return target;
    });
  }

  /**
   * SIGKILL, out of the cluster, data deleted, and in again as a new member under the same name and URLs. Resolves when it
   * answers a read that a quorum confirms, so it has caught up.
   */
  async wipe(member: EtcdMember, deadlineMs = LONG_DEADLINE_MS): Promise<void> {
    const others = this.members.filter((other) => other !== member);
    if (member.running) await member.kill('SIGKILL');
    await this.atAny(`replace ${member.name}`, deadlineMs, others, async (admin) => {
      const entries = await admin.members();
      let entry = entries.find(({ peerURLs }) => peerURLs.includes(member.peerUrl));
      // One that never started was added by a call that failed later on.
      if (entry?.name) {
        await admin.removeMember(entry.ID);
        entry = undefined;
      }
      if (!entry) await admin.addMember(member.peerUrl);
    });
    // It ends by itself when it asks a member that has not heard of it yet.
    await withinDeadline(`start ${member.name} as a new member`, deadlineMs, async () => {
      if (!member.running) await member.restart({ joinAnew: true, waitHealthy: false });
      try {
        await new EtcdAdmin(member.endpoint, STATUS_TIMEOUT_MS).revision();
      } catch (error) {
        if (member.running) throw error;
        throw new Error(`it ended: ${member.lastLines().at(-1)}`, { cause: error });
      }
    });
  }

  /** Forgets all history up to now. Resolves with the revision. */
  async compact(deadlineMs = DEADLINE_MS): Promise<string> {
    return this.atAny('compact', deadlineMs, this.members, (admin) => compactAtPresent(admin));
  }

  async defragment(member: EtcdMember, deadlineMs = LONG_DEADLINE_MS): Promise<void> {
    await withinDeadline(`defragment ${member.name}`, deadlineMs, async () => {
      await new EtcdAdmin(member.endpoint).defragment(deadlineMs);
    });
  }

  /** Writes until etcd raises its alarm and refuses every further write. */
  async fillToQuota(deadlineMs = LONG_DEADLINE_MS): Promise<void> {
    const value = Buffer.alloc(Math.min(FILL_VALUE_BYTES, Math.ceil(this.quotaBytes / 16)), 'x');
    const enough = Math.ceil((2 * this.quotaBytes) / value.length);
    let written = 0;
    await this.atAny('fill the quota', deadlineMs, this.members, async (admin) => {
      for (; written < enough; written += 1) {
        try {
          await admin.put(`${FILL_PREFIX}${written}`, value);
        } catch (error) {
          if ((await admin.alarms()).some(({ alarm }) => alarm === NO_SPACE)) return;
          throw error;
        }
      }
      throw new Error(`twice the quota was written and no alarm raised`);
    });
  }

  /**
   * Makes room again and disarms the alarm. Resolves when every member has room and writes work. Needs every member by the
   * deadline: one that still has no room would raise the alarm again.
   */
  async clearQuota(deadlineMs = LONG_DEADLINE_MS): Promise<void> {
    await this.atAny('clear the quota', deadlineMs, this.members, async (admin) => {
      await admin.deletePrefix(FILL_PREFIX);
      await compactAtPresent(admin);
      for (const member of this.members) {
        const own = new EtcdAdmin(member.endpoint);
        await named(member, own.defragment(deadlineMs));
        const { dbSize } = await named(member, own.status());
        // It compacts in its own time.
        if (Number(dbSize) > this.quotaBytes / 2)
          throw new Error(`${member.name} still holds ${dbSize} bytes`);
      }
      for (const alarm of await admin.alarms()) if (alarm.alarm === NO_SPACE) await admin.disarm(alarm);
      await admin.put(`${FILL_PREFIX}room`, 'yes');
      await admin.deletePrefix(FILL_PREFIX);
    });
  }

  private atAny<T>(
    what: string,
    deadlineMs: number,
    members: readonly EtcdMember[],
    work: (admin: EtcdAdmin) => Promise<T>,
  ): Promise<T> {
    return withinDeadline(what, deadlineMs, async (index) => {
      const running = members.filter((member) => member.running);
      if (running.length === 0) throw new Error('no member runs');
      const member = running[index % running.length]!;
      return named(member, work(new EtcdAdmin(member.endpoint)));
    });
  }
}

async function compactAtPresent(admin: EtcdAdmin): Promise<string> {
  const revision = await admin.revision();
  await admin.compact(revision).catch((error: unknown) => {
    // A call whose answer was lost, or somebody else's.
    if (!(error instanceof Error && /has been compacted/.test(error.message))) throw error;
  });
  return revision;
}

async function named<T>(member: EtcdMember, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw error instanceof Error ? new Error(`${member.name}: ${error.message}`, { cause: error }) : error;
  });
}
