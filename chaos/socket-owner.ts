/** Linux only: which process is at the other end of a connection on this machine. */
import { readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/**
 * The one of `pids` that holds the other end of an accepted IPv4 connection; null when none does (any more). Where many
 * connections have been closed of late, it takes the kernel tens of ms.
 */
export async function ownerOf(accepted: Socket, pids: () => Iterable<number>): Promise<number | null> {
  const { localPort, remotePort } = accepted;
  if (localPort === undefined || remotePort === undefined) return null;
  const inode = await inodeOf(remotePort, localPort);
  if (inode === null) return null;
  for (const pid of pids()) if (holds(pid, `socket:[${inode}]`)) return pid;
  return null;
}

/** Of the connected socket with these ports, in the order of /proc/net/tcp: its own and the other's. */
async function inodeOf(port: number, otherPort: number): Promise<string | null> {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
  const ports = new RegExp(`:${hex(port)} [0-9A-F]+:${hex(otherPort)} .*`);
  const row = ports.exec(await readFile('/proc/net/tcp', 'latin1'))?.[0].split(/ +/);
  // The ports, state, queues, timer, retransmits, user, timeout, inode.
  const inode = row?.[8];
  return inode === undefined || inode === '0' ? null : inode;
}

function holds(pid: number, link: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === link);
  } catch {
    // The process is gone.
    return false;
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return null;
  }
}
