/** What can happen to etcd: its members, their connections to one another, its disk, all of it at once. */
import type { Random } from '../src/random.js';
import type { EtcdMember } from '../test/support/etcd.js';
import type { ChaosEtcd } from './etcd-cluster.js';
import { between, type Fault, type FaultKind } from './nemesis.js';

interface Plan extends Omit<Fault, 'text'> {
  readonly detail?: string;
}

export function etcdFaults(etcd: ChaosEtcd): FaultKind[] {
  const kind = (name: string, plan: (random: Random) => Plan | Promise<Plan>): FaultKind => ({
    name: `etcd: ${name}`,
    victim: 'etcd',
    async plan(random) {
      const { detail, ...fault } = await plan(random);
      return { ...fault, text: `etcd: ${name}${detail === undefined ? '' : `, ${detail}`}` };
    },
  });

  const killed = (member: EtcdMember, holdMs: number): Plan => ({
    holdMs,
    detail: member.name,
    begin: () => member.kill(),
    end: () => member.restart(),
  });
  const frozen = (member: EtcdMember, holdMs: number): Plan => ({
    holdMs,
    detail: member.name,
    begin: () => member.pause(),
    end: () => member.resume(),
  });
  const isolated = (member: EtcdMember, random: Random): Plan => ({
    holdMs: between(random, 3_000, 15_000),
    detail: member.name,
    begin: () => etcd.isolate(member, random.pick(['silence', 'cut'] as const)),
    end: () => etcd.healPeers(),
  });
  const anyMember = (random: Random): EtcdMember => random.pick(etcd.members);
  const all = (act: (member: EtcdMember) => unknown) => async (): Promise<void> => {
    await Promise.all(etcd.members.map(act));
  };

  return [
    kind('member killed', (random) => killed(anyMember(random), between(random, 500, 12_000))),
    kind('leader killed', async (random) => killed(await etcd.leader(), between(random, 500, 8_000))),
    kind('member frozen', (random) => frozen(anyMember(random), between(random, 500, 12_000))),
    kind('leader frozen', async (random) => frozen(await etcd.leader(), between(random, 2_000, 12_000))),
    kind('member parted from the others', (random) => isolated(anyMember(random), random)),
    kind('leader parted from the others', async (random) => isolated(await etcd.leader(), random)),
    kind('two members parted', (random) => {
      const [a, b] = random.shuffle(etcd.members) as [EtcdMember, EtcdMember];
      return {
        holdMs: between(random, 3_000, 12_000),
        detail: `${a.name} and ${b.name}`,
        begin: () => etcd.partition(a, b),
        end: () => etcd.healPeers(),
      };
    }),
    kind('slow and lossy between members', (random) => ({
      holdMs: between(random, 5_000, 12_000),
      begin: () => {
        etcd.slowPeers(30, 60);
        etcd.lossyPeers(0.02);
      },
      end: () => etcd.healPeers(),
    })),
    kind('leadership handed over', () => ({
      holdMs: 500,
      begin: async () => void (await etcd.transferLeader()),
      end: () => undefined,
    })),
    kind('member wiped and added again', (random) => {
      const member = anyMember(random);
      return {
        holdMs: 0,
        detail: member.name,
        begin: () => etcd.wipe(member),
        // The new member may have got all that once filled the database from the log of its leader: its file is full again.
        end: () => etcd.clearQuota(),
      };
    }),
    kind('compaction', () => ({
      holdMs: 0,
      begin: async () => void (await etcd.compact()),
      end: () => undefined,
    })),
    kind('no space', (random) => ({
      holdMs: between(random, 1_000, 6_000),
      begin: () => etcd.fillToQuota(),
      end: () => etcd.clearQuota(),
    })),
    kind('all members killed', (random) => ({
      holdMs: between(random, 500, 12_000),
      begin: all((member) => member.kill()),
      end: all((member) => member.restart()),
    })),
    kind('all members frozen', (random) => ({
      holdMs: between(random, 500, 8_000),
      begin: all((member) => member.pause()),
      end: all((member) => member.resume()),
    })),
  ];
}
