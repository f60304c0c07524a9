/** With what, and on what, the figures were measured, in words. */
import type { BenchResults } from './results.js';

export function describeBench({ machine, peer }: BenchResults): string[] {
  const { node, etcd, etcron, platform, cpu, cores, memoryGiB, disk, loadAtStart, startedAt } = machine;
  const others = Object.entries(peer?.versions ?? {}).map(([name, version]) => `, ${name} ${version}`);
  return [
    `etcron ${etcron}, Node ${node}, etcd ${etcd} (one member, fsync on, data on ${disk})${others.join('')}`,
    `${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}`,
    `begun ${startedAt}, load average before ${loadAtStart.toFixed(1)}`,
    ...(peer === null ? ['no peer to compare with'] : [`peer: ${peer.name}`]),
  ];
}
