/**
 * The network between etcd members: one loopback port in front of each, and behind it one path for each member that
 * dials, so that any two can be parted without touching the third.
 *
 * Who dials stands in the first request: raft's messages carry the header `X-PeerURLs`, in which the sender names its own
 * address. Others carry none: those of a follower that keeps leases alive through its leader, of a member that joins, and
 * etcd's probes. For them the process is looked up that holds the other end of the connection, which takes the kernel
 * some ms.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TcpPath, type TcpPathOptions } from '../test/support/tcp-path.js';
import { ownerOf } from './socket-owner.js';

const PEER_URLS = /^X-PeerURLs: *http:\/\/([^\r\n,]+)/im;
/** A process is known a moment after it was started. */
const IDENTIFY_ATTEMPTS = 50;
const IDENTIFY_PAUSE_MS = 20;

export class PeerNetwork {
  private readonly servers = new Map<string, Server>();
  /** By process id. */
  private readonly names = new Map<number, string>();
  /** By the address at which their peers reach them. */
  private readonly fronts = new Map<string, string>();
  private readonly paths = new Map<string, TcpPath>();
  private readonly unidentified = new Set<Socket>();

  constructor(private readonly options: TcpPathOptions = {}) {}

  /** Names the process that `member` runs as from now on. */
  runsAs(member: string, pid: number): void {
    for (const [old, name] of this.names) if (name === member) this.names.delete(old);
    this.names.set(pid, member);
  }

  /** Stands in front of `target` (`host:port`), where `member` listens; resolves with the `host:port` for its peers. */
  async front(member: string, target: string): Promise<string> {
    this.servers.get(member)?.close();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    this.servers.set(member, server);
    server.on('connection', (socket) => void this.accept(socket, member, target));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.fronts.set(address, member);
    return address;
  }

  /** What each of the two dials to the other. */
  between(a: string, b: string): TcpPath[] {
    return [this.path(a, b), this.path(b, a)];
  }

  all(): TcpPath[] {
    const members = [...this.servers.keys()];
    return members.flatMap((a) => members.filter((b) => b !== a).map((b) => this.path(a, b)));
  }

  async stop(): Promise<void> {
    const closed = [...this.servers.values()].map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const path of this.paths.values()) path.breakAll();
    for (const socket of this.unidentified) socket.destroy();
    await Promise.all(closed);
  }

  private path(from: string, to: string): TcpPath {
    const key = `${from}>${to}`;
    const path = this.paths.get(key) ?? new TcpPath(this.options);
    this.paths.set(key, path);
    return path;
  }

  private async accept(socket: Socket, member: string, target: string): Promise<void> {
    this.unidentified.add(socket);
    socket.on('error', () => undefined);
    const head = await firstBytes(socket);
    const from = head && (this.byHeader(head) ?? (await this.byProcess(socket)));
    this.unidentified.delete(socket);
    if (from === null) {
      socket.destroy();
      return;
    }
    socket.unshift(head);
    this.path(from, member).carry(socket, target);
  }

  private byHeader(head: Buffer): string | null {
    const address = PEER_URLS.exec(head.toString('latin1'))?.[1];
    return (address !== undefined && this.fronts.get(address)) || null;
  }

  private async byProcess(socket: Socket): Promise<string | null> {
    for (let attempt = 0; attempt < IDENTIFY_ATTEMPTS && !socket.destroyed; attempt += 1) {
      const pid = await ownerOf(socket, () => this.names.keys());
      if (pid !== null) return this.names.get(pid) ?? null;
      await sleep(IDENTIFY_PAUSE_MS);
    }
    return null;
  }
}

/** Of a paused socket, which is paused again after them; null when it ends without any. */
function firstBytes(socket: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const done = (head: Buffer | null): void => {
      socket.pause().off('data', done).off('end', onEnd).off('close', onEnd);
      resolve(head);
    };
    const onEnd = (): void => done(null);
    socket.on('data', done).on('end', onEnd).on('close', onEnd);
    socket.resume();
  });
}
