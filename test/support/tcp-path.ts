/**
 * A network path that can fail: the connections that take it, and the state that they share. The state can change at any
 * moment, and applies to connections that are open as well as to those to come.
 *
 *   forward    bytes pass, after `delay` and what `lossy` adds
 *   cut        every connection is reset, and each new one as soon as it is made
 *   silent     connections stay and nothing passes in either direction, not even their end; new ones are accepted and hang.
 *              What was sent meanwhile arrives after `heal`, as TCP would send it again
 *   swallowing bytes pass towards the target, and what it answers is thrown away. A stream with a hole in it cannot go on,
 *              so `heal` resets the connections that have one
 *
 * TCP does not show a lost packet: it shows stalls while it is sent again, and now and then a connection that breaks. That
 * is what `lossy` does to a chunk of bytes.
 *
 * Back-pressure is kept: where one side does not read, or its bytes are held for too long, the other is not read either.
 */
import { connect, type Socket } from 'node:net';
import { systemClock, type Clock } from '../../src/clock.js';
import { createRandom, type Random } from '../../src/random.js';
import { TcpFlow, type FlowRules } from './tcp-flow.js';

const STALL_MIN_MS = 200;
const STALL_MAX_MS = 1_000;
/** Of the chunks that are hit, this part breaks the connection instead of stalling it. */
const RESET_SHARE = 0.05;

export interface TcpPathOptions {
  /** Measures delays. Default: the system's. */
  clock?: Clock;
  /** Of jitter and loss: the same seed gives the same draws, in the order in which chunks come. */
  random?: Random;
}

type Mode = 'forward' | 'cut' | 'silent' | 'swallowing';

interface Connection {
  readonly client: Socket;
  /** `host:port`; undefined never answers. */
  readonly target: string | undefined;
  upstream: Socket | null;
  flows: TcpFlow[];
  /** Has lost bytes that its ends believe to have been delivered. */
  torn: boolean;
}

export class TcpPath {
  private readonly connections = new Set<Connection>();
  private readonly clock: Clock;
  private readonly random: Random;
  private mode: Mode = 'forward';
  private delayMs = 0;
  private jitterMs = 0;
  private lossChance = 0;

  constructor({ clock = systemClock, random = createRandom('tcp-path') }: TcpPathOptions = {}) {
    this.clock = clock;
    this.random = random;
  }

  /** Connections that are open or hang. */
  get connectionCount(): number {
    return this.connections.size;
  }

  /** Takes over a socket that was accepted paused and half-open, and connects it to `host:port`. */
  carry(client: Socket, target: string | undefined): void {
    if (client.destroyed) return;
    const connection: Connection = { client, target, upstream: null, flows: [], torn: false };
    this.connections.add(connection);
    this.watch(connection, client);
    if (this.mode === 'cut') this.reset(connection);
    else this.join(connection);
  }

  /** Resets all connections, and each new one as soon as it is made. */
  cut(): void {
    this.mode = 'cut';
    this.breakAll();
  }

  /** Leaves connections open and lets nothing pass in either direction any more. */
  silence(): void {
    this.change('silent');
  }

  /** Requests still reach the target; its answers are thrown away. */
  swallowAnswers(): void {
    this.change('swallowing');
  }

  /** From now on each chunk takes `ms` plus up to `jitterMs`, in each direction. Goes with every other state. */
  delay(ms: number, jitterMs = 0): void {
    this.delayMs = ms;
    this.jitterMs = jitterMs;
  }

  /** From now on a chunk is hit with this chance (0 to 1). Goes with every other state. */
  lossy(chance: number): void {
    this.lossChance = chance;
  }

  /** Ends every state: bytes pass at once. What is under way still takes its time. */
  heal(): void {
    this.delay(0);
    this.lossy(0);
    for (const connection of this.connections) if (connection.torn) this.reset(connection);
    this.change('forward');
  }

  /** Resets all connections and changes nothing else. */
  breakAll(): void {
    for (const connection of this.connections) this.reset(connection);
  }

  private change(mode: Mode): void {
    this.mode = mode;
    for (const connection of this.connections) {
      if (connection.upstream === null) this.join(connection);
      else for (const flow of connection.flows) flow.update();
    }
  }

  /** While the path is silent a new connection gets no further than this side. */
  private join(connection: Connection): void {
    const { client, target } = connection;
    if (target === undefined || !this.open || client.destroyed) return;
    const { hostname, port } = new URL(`tcp://${target}`);
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    upstream.pause();
    connection.upstream = upstream;
    this.watch(connection, upstream);
    const onReset = (): void => this.reset(connection);
    connection.flows = [
      new TcpFlow(client, upstream, this.rules(connection, false), onReset),
      new TcpFlow(upstream, client, this.rules(connection, true), onReset),
    ];
    for (const flow of connection.flows) flow.update();
  }

  private watch(connection: Connection, socket: Socket): void {
    // The close event that follows tells the same.
    socket.on('error', () => undefined);
    socket.on('close', (hadError) => {
      const { client, upstream } = connection;
      if (client.destroyed && (upstream === null || upstream.destroyed)) this.connections.delete(connection);
      else if (!hadError) return;
      else if (this.open) this.reset(connection);
      else connection.torn = true;
    });
  }

  private reset({ client, upstream }: Connection): void {
    for (const socket of [client, upstream]) if (socket && !socket.destroyed) socket.resetAndDestroy();
  }

  private get open(): boolean {
    return this.mode === 'forward' || this.mode === 'swallowing';
  }

  private rules(connection: Connection, answers: boolean): FlowRules {
    const isOpen = (): boolean => this.open;
    return {
      clock: this.clock,
      get open() {
        return isOpen();
      },
      swallows: () => {
        if (!answers || this.mode !== 'swallowing') return false;
        connection.torn = true;
        return true;
      },
      transitMs: () => this.transitMs(),
    };
  }

  private transitMs(): number | null {
    let ms = this.delayMs;
    if (this.jitterMs > 0) ms += this.random.next() * this.jitterMs;
    if (this.lossChance > 0 && this.random.chance(this.lossChance)) {
      if (this.random.chance(RESET_SHARE)) return null;
      ms += STALL_MIN_MS + this.random.next() * (STALL_MAX_MS - STALL_MIN_MS);
    }
    return ms;
  }
}
