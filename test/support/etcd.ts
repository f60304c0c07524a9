/**
 * Real etcd servers for tests: one member or a cluster, on loopback ports, with `kill`, `pause` and `restart`. Ports and
 * data folders stay the same over restarts. Nothing outlives the test process: each server has a guard that kills it,
 * and deletes its temporary data, as soon as that process is gone, however it ended. Call `stop()` all the same.
 */
import { readFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { systemClock } from '../../src/clock.js';
import {
  etcdEnvironment,
  spawnEtcd,
  waitUntilHealthy,
  type EtcdExit,
  type EtcdProcess,
} from '../../src/etcd/embedded/etcd-process.js';
import { findEtcd, type EtcdBinary } from '../../src/etcd/embedded/find-etcd.js';
import { freePorts } from '../../src/etcd/embedded/free-port.js';

export { certificates, type Certificates } from './certificates.js';

const HEALTHY_DEADLINE_MS = 60_000;
const STOP_GRACE_MS = 20_000;
const ETCDCTL_TIMEOUT_MS = 60_000;
const PORT_ATTEMPTS = 5;

export interface StartEtcdOptions {
  /** Kept at the end; default is a temporary folder that is deleted. For a cluster: the parent of the members' folders. */
  dataDir?: string;
  /** Added after all other flags, so they win. */
  extraArgs?: readonly string[];
  /** Added to a clean environment. */
  env?: Record<string, string>;
  /**
   * Puts something in front of the port at which a member listens for its peers (`host:port`), and resolves with the
   * `host:port` at which they are to reach it. Asked again for the same name when a start is repeated on other ports.
   */
  peerFront?: (member: string, target: string) => Promise<string>;
  /** Called for each process of each member when it has been started. */
  onSpawn?: (member: string, pid: number) => void;
  /** Paths of PEM files; serves clients by https. `client` is what tests use to talk to it. */
  tls?: {
    ca: string;
    cert: string;
    key: string;
    /** Refuses clients without a certificate of the authority. Health checks then need `client`. */
    clientCertAuth?: boolean;
    client?: { cert: string; key: string };
  };
}

export interface RestartOptions {
  extraArgs?: readonly string[];
  /** False returns as soon as the process runs: for a member without a quorum, or with data it cannot serve. */
  waitHealthy?: boolean;
  /** Deletes its data and joins a cluster that has it as a new member, under the same name and peer URL. */
  joinAnew?: boolean;
}

export interface EtcdMember {
  readonly name: string;
  /** This member's client URL. */
  readonly endpoint: string;
  /** The URL at which the other members reach it. */
  readonly peerUrl: string;
  readonly dataDir: string;
  readonly binary: EtcdBinary;
  /** Of the current process, or the last one. */
  readonly pid: number;
  readonly running: boolean;
  /** The end of the current process. */
  readonly exited: Promise<EtcdExit>;
  lastLines(): readonly string[];
  /** Sends the signal (default SIGKILL) and, where it ends the process, waits for that end. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends the process when it runs (orderly), then starts it on the same data and ports. */
  restart(options?: RestartOptions): Promise<void>;
  waitHealthy(): Promise<void>;
}

export interface RunningEtcd extends EtcdMember {
  /** Client URLs of all members. */
  readonly endpoints: readonly string[];
  /** Ends the process and deletes temporary data. Idempotent. */
  stop(): Promise<void>;
}

export interface RunningEtcdCluster {
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
  /** The member that leads now; rejects when none does. */
  leader(): Promise<EtcdMember>;
  stop(): Promise<void>;
}

/** Starts one member and waits until it is healthy. */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<RunningEtcd> {
  const { members, endpoints, stop } = await startMembers(1, options);
  return Object.assign(members[0]!, { endpoints, stop });
}

/** Starts `size` members and waits until all of them are healthy. */
export async function startEtcdCluster(
  size: number,
  options: StartEtcdOptions = {},
): Promise<RunningEtcdCluster> {
  const { members, endpoints, stop } = await startMembers(size, options);
  const leader = async (): Promise<EtcdMember> => {
    const running = members.filter((member) => member.running);
    for (const member of running) {
      const status = await etcdctl(['endpoint', 'status', '-w', 'json', ...clientTlsArgs(options)], {
        endpoints: [member.endpoint],
      }).catch(() => '[]');
      const [answer] = JSON.parse(status) as { Status: { leader?: number; header: { member_id: number } } }[];
      if (answer && answer.Status.leader === answer.Status.header.member_id) return member;
    }
    throw new Error(`none of ${running.length} running etcd members says that it leads`);
  };
  return { members, endpoints, leader, stop };
}

export interface EtcdctlOptions {
  /** Empty when `args` name them. */
  endpoints: readonly string[];
  env?: Record<string, string>;
  input?: string;
}

/** Runs the real etcdctl and returns its stdout. Rejects with execa's error, which holds stderr. */
export async function etcdctl(args: readonly string[], options: EtcdctlOptions): Promise<string> {
  const { etcdctl: program } = await findEtcd();
  if (program === undefined) throw new Error('no etcdctl beside etcd or on the PATH');
  const result = await execa(program, args, {
    extendEnv: false,
    env: {
      ...etcdEnvironment(process.env),
      ETCDCTL_API: '3',
      ...(options.endpoints.length > 0 && { ETCDCTL_ENDPOINTS: options.endpoints.join(',') }),
      ...options.env,
    },
    timeout: ETCDCTL_TIMEOUT_MS,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  return result.stdout;
}

/** Where a member lives; over restarts it stays the same. */
interface Seat {
  name: string;
  endpoint: string;
  /** Where it listens for its peers. */
  peerListen: string;
  /** Where they reach it. */
  peerUrl: string;
  dataDir: string;
}

/** Repeats the start on other ports when somebody else took one in between. */
async function startMembers(
  size: number,
  options: StartEtcdOptions,
): Promise<{ members: Member[]; endpoints: string[]; stop: () => Promise<void> }> {
  const binary = await findEtcd();
  const temporary = options.dataDir === undefined;
  for (let attempt = 1; ; attempt += 1) {
    const root = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'etcron-test-etcd-')));
    const ports = await freePorts(size * 2);
    const scheme = options.tls ? 'https' : 'http';
    const seats: Seat[] = [];
    for (let i = 0; i < size; i += 1) {
      const name = `m${i + 1}`;
      const peerListen = `127.0.0.1:${ports[i * 2 + 1]}`;
      seats.push({
        name,
        endpoint: `${scheme}://127.0.0.1:${ports[i * 2]}`,
        peerListen: `http://${peerListen}`,
        peerUrl: `http://${(await options.peerFront?.(name, peerListen)) ?? peerListen}`,
        dataDir: size === 1 ? root : join(root, name),
      });
    }
    const cluster = seats.map((seat) => `${seat.name}=${seat.peerUrl}`).join(',');
    const members = seats.map(
      (seat) => new Member(seat, cluster, binary, options, temporary ? root : undefined),
    );
    const stop = async (): Promise<void> => {
      await Promise.all(members.map((member) => member.end()));
      if (temporary) await rm(root, { recursive: true, force: true });
    };
    try {
      await Promise.all(members.map((member) => member.launch()));
      await Promise.all(members.map((member) => member.waitHealthy()));
      return { members, endpoints: seats.map((seat) => seat.endpoint), stop };
    } catch (error) {
      const clash = members.some((member) =>
        member.lastLines().some((line) => line.includes('address already in use')),
      );
      await stop();
      if (!clash || !temporary || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

class Member implements EtcdMember {
  readonly name: string;
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly dataDir: string;
  private process: EtcdProcess | undefined;
  private clusterState: 'new' | 'existing' = 'new';

  constructor(
    private readonly seat: Seat,
    private readonly cluster: string,
    readonly binary: EtcdBinary,
    private readonly options: StartEtcdOptions,
    private readonly removeWhenOrphaned: string | undefined,
  ) {
    this.name = seat.name;
    this.endpoint = seat.endpoint;
    this.peerUrl = seat.peerUrl;
    this.dataDir = seat.dataDir;
  }

  get pid(): number {
    return this.current.pid;
  }

  get running(): boolean {
    return this.process?.running ?? false;
  }

  get exited(): Promise<EtcdExit> {
    return this.current.exited;
  }

  lastLines(): readonly string[] {
    return this.process?.lastLines() ?? [];
  }

  async launch(extraArgs: readonly string[] = []): Promise<void> {
    this.process = await spawnEtcd(this.binary.etcd, [...this.flags(), ...extraArgs], {
      clock: systemClock,
      env: { ...etcdEnvironment(process.env), ...this.options.env },
      ...(this.removeWhenOrphaned === undefined ? {} : { removeWhenOrphaned: this.removeWhenOrphaned }),
    });
    this.options.onSpawn?.(this.name, this.process.pid);
  }

  async waitHealthy(): Promise<void> {
    const { tls } = this.options;
    const problem = await waitUntilHealthy(this.current, this.endpoint, {
      clock: systemClock,
      deadlineMs: HEALTHY_DEADLINE_MS,
      ...(tls && {
        tls: {
          ca: await readFile(tls.ca),
          ...(tls.client && { cert: await readFile(tls.client.cert), key: await readFile(tls.client.key) }),
        },
      }),
    });
    if (problem !== null) throw new Error(`etcd ${this.name}: ${problem}\n${this.lastLines().join('\n')}`);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.current.signal(signal);
    await this.current.exited;
  }

  pause(): void {
    this.current.signal('SIGSTOP');
  }

  resume(): void {
    this.current.signal('SIGCONT');
  }

  async restart(options: RestartOptions = {}): Promise<void> {
    await this.end();
    if (options.joinAnew === true) {
      await rm(this.dataDir, { recursive: true, force: true });
      this.clusterState = 'existing';
    }
    await this.launch(options.extraArgs);
    if (options.waitHealthy !== false) await this.waitHealthy();
  }

  async end(): Promise<void> {
    // A paused process would sleep through SIGTERM.
    this.process?.signal('SIGCONT');
    await this.process?.stop(STOP_GRACE_MS);
  }

  private get current(): EtcdProcess {
    if (!this.process) throw new Error(`etcd ${this.name} was never started`);
    return this.process;
  }

  private flags(): string[] {
    const { tls } = this.options;
    return [
      ...['--name', this.name, '--data-dir', this.dataDir],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', this.seat.peerListen, '--initial-advertise-peer-urls', this.peerUrl],
      ...['--initial-cluster', this.cluster, '--initial-cluster-state', this.clusterState],
      ...['--logger', 'zap', '--log-outputs', 'stderr'],
      ...(tls ? ['--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.ca] : []),
      ...(tls?.clientCertAuth ? ['--client-cert-auth'] : []),
      ...(this.options.extraArgs ?? []),
    ];
  }
}

function clientTlsArgs({ tls }: StartEtcdOptions): string[] {
  if (!tls) return [];
  return ['--cacert', tls.ca, ...(tls.client ? ['--cert', tls.client.cert, '--key', tls.client.key] : [])];
}
